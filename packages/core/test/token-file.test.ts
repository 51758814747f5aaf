import t from 'tap'
import { createAccessKey, createToken, hashToken, type PosthasteError, parseTokenFile } from '../src/index.js'

const HASH = 'a'.repeat(64)
const entry = { name: 'shop', sha256: HASH, scopes: ['invoke'] }

t.test('a token is random, and known for one', async (t) => {
  const tokens = Array.from({ length: 100 }, createToken)
  t.equal(new Set(tokens).size, 100)
  for (const token of tokens) t.match(token, /^pht_[\w-]{43}$/)
  // From `printf abc | sha256sum`.
  t.equal(hashToken('abc').toString('hex'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})

t.test('an entry says who has a token, and what he may', async (t) => {
  const [least, most] = parseTokenFile({
    tokens: [
      entry,
      {
        name: 'Team-a.2',
        sha256: ['b'.repeat(64), 'c'.repeat(64)],
        scopes: ['read', 'control'],
        tenant: 'acme:eu',
        targets: ['https://*.example.com'],
        functions: ['resize', 'img-*', '*'],
        requestsPerSecond: 0.5,
        burst: 10,
        openMax: 1_000,
      },
    ],
  })
  t.strictSame(least, { name: 'shop', scopes: ['invoke'], tenant: '', hashes: [Buffer.from(HASH, 'hex')] })
  t.match(most, { tenant: 'acme:eu', requestsPerSecond: 0.5, burst: 10, openMax: 1_000 })
  t.equal(most?.hashes.length, 2)
  t.equal(most?.targets?.length, 1)
  t.strictSame(most?.functions, ['resize', 'img-*', '*'])
  t.strictSame(parseTokenFile({ tokens: [] }), [])
})

t.test('what is wrong is said all together, and no value of it', async (t) => {
  const secret = createToken()
  const input = {
    tokens: [
      entry,
      { ...entry, sha256: secret },
      { ...entry, name: secret.repeat(3), sha256: 'b'.repeat(64) },
      { ...entry, name: 'c', sha256: HASH.toUpperCase(), scopes: ['admin'] },
      { name: 'd', [secret]: 1, sha256: [], scopes: [], requestsPerSecond: 0, burst: 0.5, tenant: 'a b' },
    ],
  }
  const pointers = faultsOf(input).map(({ pointer }) => pointer)
  const wrong = [
    '1/sha256',
    '2/name',
    '3/sha256',
    '3/scopes/0',
    '4/sha256',
    '4/scopes',
    '4/requestsPerSecond',
    '4/burst',
  ]
  for (const pointer of [...wrong, '4/tenant']) t.ok(pointers.includes(`/tokens/${pointer}`), pointer)
  t.notMatch(JSON.stringify(faultsOf(input).map(({ detail }) => detail)), secret)
  for (const document of [undefined, null, [], 'x', {}, { tokens: {} }, { tokens: [], more: 1 }, { tokens: [1] }])
    t.ok(faultsOf(document).length > 0, JSON.stringify(document))
})

t.test('an entry may have access keys, and no token', async (t) => {
  const secret = 'a-secret-of-32-characters-at-all'
  const keys = (...accessKeys: object[]) => ({ tokens: [{ name: 'a', scopes: ['invoke'], accessKeys }] })
  const given = [
    { id: 'AKIAONE', secret },
    { id: 'AKIATWO', secret: { env: 'TWO' } },
  ]
  const [holder] = parseTokenFile(keys(...given), (source) => ({ value: typeof source === 'string' ? source : secret }))
  t.match(holder, { hashes: [], accessKeys: ['AKIAONE', 'AKIATWO'].map((id) => ({ id, secret })) })
  const made = createAccessKey()
  t.match(parseTokenFile(keys(made)), [{ accessKeys: [made] }])
  t.not(createAccessKey().secret, made.secret)

  const pointers = (...accessKeys: object[]) => faultsOf(keys(...accessKeys)).map(({ pointer }) => pointer)
  const at = '/tokens/0/accessKeys'
  t.strictSame(pointers(made, { ...made, secret }), [`${at}/1/id`], 'which of the two was meant is not known')
  for (const wrong of ['too-short', `${secret} `, `${secret}ä`, '', { env: 'NONE' }])
    t.strictSame(pointers({ ...made, secret: wrong }), [`${at}/0/secret`])
  t.strictSame(pointers({ ...made, id: 'a/b' }), [`${at}/0/id`])
  t.ok(pointers().includes(at))
  const faults = faultsOf({ tokens: [{ name: 'a', scopes: ['invoke'] }] })
  t.match(faults, [{ pointer: '/tokens/0/sha256', code: 'missing-field' }])
  const shown = faultsOf(keys({ id: 'a/b', secret }, { ...made, secret: 'short-secret' }))
  t.notMatch(JSON.stringify(shown), /secret-of|short-/)
})

t.test('what is wrong with several together', async (t) => {
  const other = { ...entry, name: 'other', sha256: 'b'.repeat(64) }
  const faults = (...tokens: object[]) => faultsOf({ tokens }).map(({ pointer }) => pointer)
  t.strictSame(faults(entry, other), [])
  t.strictSame(faults(entry, { ...other, name: 'shop' }), ['/tokens/1/name'])
  t.strictSame(faults(entry, { ...other, sha256: ['b'.repeat(64), HASH] }), ['/tokens/1/sha256'])
  t.strictSame(faults({ ...entry, scopes: ['operate'], tenant: 'a' }), ['/tokens/0/scopes'], 'it would see all tenants')
  t.strictSame(faults({ ...entry, burst: 5 }), ['/tokens/0/requestsPerSecond'])
  t.strictSame(faults({ ...entry, targets: ['https://a.example.com', 'a.example.com', 'ftp://a'] }), [
    '/tokens/0/targets/1',
    '/tokens/0/targets/2',
  ])
  t.strictSame(faults({ ...entry, functions: ['a', '*a', 'a b', ''] }), [
    '/tokens/0/functions/1',
    '/tokens/0/functions/2',
    '/tokens/0/functions/3',
  ])
})

function faultsOf(document: unknown) {
  try {
    parseTokenFile(document)
    return []
  } catch (error) {
    return (error as PosthasteError).fields
  }
}
