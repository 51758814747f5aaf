import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { type PosthasteError, parseSigningKey, parseTargetFile, privateKeyOf, type SecretReader } from '../src/index.js'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const { privateKey } = generateKeyPairSync('ed25519')
const { d = '', x = '' } = privateKey.export({ format: 'jwk' })
const [seed, point] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')]
const whsk = (...parts: Buffer[]): string => `whsk_${Buffer.concat(parts).toString('base64')}`

const asGiven: SecretReader = (source) =>
  typeof source === 'string' ? { value: source } : { fault: `${Object.values(source)[0]} is empty.` }

function faultsOf(targets: unknown): string[] {
  try {
    parseTargetFile(targets, asGiven)
  } catch (error) {
    return (error as PosthasteError).fields.map(({ detail, pointer }) => `${pointer} ${detail}`)
  }
  return []
}

t.test('secrets are those of Standard Webhooks', async (t) => {
  t.match(parseSigningKey(SECRET), { scheme: 'hmac', bytes: Uint8Array.from(Buffer.alloc(32, 7)) })
  for (const length of [24, 64])
    t.ok(parseSigningKey(`whsec_${Buffer.alloc(length, 1).toString('base64')}`), `${length}`)
  for (const text of [whsk(seed), whsk(seed, point)]) {
    const key = parseSigningKey(text)
    t.match(key, { scheme: 'ed25519', bytes: Uint8Array.from(seed) })
    t.strictSame(privateKeyOf(key?.bytes as Uint8Array).export({ format: 'jwk' }), privateKey.export({ format: 'jwk' }))
  }
  const short = Buffer.alloc(23, 1).toString('base64')
  const long = Buffer.alloc(65, 1).toString('base64')
  const wrong = [
    SECRET.slice(6),
    SECRET.slice(0, -1),
    `${SECRET}=`,
    `${SECRET} `,
    SECRET.toUpperCase(),
    '',
    'whsec_',
    'whsk_',
  ]
  const others = [
    whsk(point, seed),
    whsk(seed, seed),
    whsk(seed.subarray(1)),
    whsk(seed, point.subarray(1)),
    whsk(seed, point, point),
  ]
  for (const text of [...wrong, ...others, `whsec_${short}`, `whsec_${long}`, `whpk_${x}`])
    t.equal(parseSigningKey(text), undefined, text)
})

t.test('what is right is read', async (t) => {
  const redact = ['', '/card/number', '/a~1b/~0/0']
  const rules = parseTargetFile(
    { targets: [{ match: 'https://a.example/x/*', sign: { secrets: [SECRET, whsk(seed)] }, redact }] },
    asGiven,
  )
  t.match(rules, [{ match: { path: '/x/*' }, sign: [{ scheme: 'hmac' }, { scheme: 'ed25519' }], redact }])
  t.strictSame(parseTargetFile({ targets: [] }, asGiven), [])
  t.strictSame(structuredClone(rules), rules, 'it goes to another thread')
})

t.test('everything that is wrong is said, and no secret', async (t) => {
  const faults = faultsOf({
    targets: [
      { match: 'a.example', sign: { secrets: [`${SECRET}hunter2`, SECRET, { env: 'NOT_SET' }] } },
      { match: 'http://a.example', tls: { ca: 'hunter2' } },
      { match: 'https://a.example/x', tls: { minVersion: 'TLSv1.3' } },
      { match: 'https://a.example', tls: { cert: 'hunter2' } },
      { match: 'https://a.example', tls: { cert: 'hunter2', key: 'hunter2' } },
    ],
  })
  t.match(faults, [
    /^\/targets\/0\/match .*https:/,
    /^\/targets\/0\/sign\/secrets\/0 .*whsec_/,
    /^\/targets\/0\/sign\/secrets\/2 NOT_SET is empty/,
    /^\/targets\/1\/tls There is no TLS/,
    /^\/targets\/1\/tls\/ca /,
    /^\/targets\/2\/tls .*path/,
    /^\/targets\/3\/tls A cert needs its key/,
    /^\/targets\/4\/tls .*OSSL/,
  ])
  t.equal(faults.length, 8)
  t.notMatch(faults.join(), /hunter2|BwcHBw/)
})

t.test('what has another shape is refused where it stands', async (t) => {
  const match = 'https://a.example'
  const wrong: [targets: unknown, pointer: RegExp][] = [
    [null, /^ /],
    [[], /^ /],
    [{}, /^\/targets /],
    [{ targets: {} }, /^\/targets /],
    [{ targets: [{ sign: { secrets: [SECRET] }, redact: [''] }] }, /^\/targets\/0\/match /],
    [{ targets: [{ match }] }, /^\/targets\/0 /],
    [{ targets: [{ match, sing: {} }] }, /^\/targets\/0\/sing /],
    [{ targets: [{ match, sign: {} }] }, /^\/targets\/0\/sign\/secrets /],
    [{ targets: [{ match, sign: { secrets: [] } }] }, /^\/targets\/0\/sign\/secrets /],
    [{ targets: [{ match, sign: { secrets: SECRET } }] }, /^\/targets\/0\/sign\/secrets /],
    [{ targets: [{ match, sign: { secrets: [{ env: 'A', file: 'b' }] } }] }, /^\/targets\/0\/sign\/secrets\/0/],
    [{ targets: [{ match, tls: {} }] }, /^\/targets\/0\/tls /],
    [{ targets: [{ match, tls: { minVersion: 'TLSv1.1' } }] }, /^\/targets\/0\/tls\/minVersion /],
    [{ targets: [{ match, tls: { rejectUnauthorized: false } }] }, /^\/targets\/0\/tls\/rejectUnauthorized /],
    [{ targets: [{ match, redact: ['a'] }] }, /^\/targets\/0\/redact\/0 /],
    [{ targets: [{ match, redact: ['/~2'] }] }, /^\/targets\/0\/redact\/0 /],
  ]
  for (const [targets, pointer] of wrong) {
    const faults = faultsOf(targets)
    t.ok(
      faults.some((fault) => pointer.test(fault)),
      JSON.stringify([targets, faults]),
    )
    t.notMatch(faults.join(), /BwcHBw/)
  }
})
