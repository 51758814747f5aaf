import { createAccessKey, createToken } from '@posthaste/core'
import t from 'tap'
import { bearer, credentialsOf, holderOf, jwtCallers, startIssuer } from './callers.js'
import { FORMS, type Form, nameOf, PATHS, type Path, type Refusal, startForAll } from './door-matrix.js'
import { readCalls } from './setting.js'
import { signedByAlibaba, signedByAws, signedForVersion2 } from './signing.js'

// Who asks what at which door: every path and every mark, by every kind of caller.

const basic = (token: string) => ({ authorization: `Basic ${Buffer.from(`any:${token}`).toString('base64')}` })

t.test('each door lets in whom the scope of the path lets in, and tells others so in its own form', async (t) => {
  const scopes = { invoke: holderOf({ scopes: ['invoke'] }), read: holderOf({ scopes: ['read'] }) }
  const holders = { ...scopes, control: holderOf({ scopes: ['control'] }), operate: holderOf({ scopes: ['operate'] }) }
  const named = holderOf({ name: 'named', scopes: ['invoke', 'read', 'control'], functions: ['oth*'] })
  const issuer = await startIssuer()
  const all = [...Object.values(holders), named].map(({ holder }) => holder)
  const { called, stream, url } = await startForAll(t, credentialsOf(all, jwtCallers(issuer.keys)))
  const jwt = { of: (claims: object) => issuer.sign({ scope: 'invoke read control', ...claims }) }
  const [anything, others] = [await jwt.of({}), await jwt.of({ functions: ['other'] })]
  const ask = ({ headers, method, path }: Path, shown: Record<string, string>) =>
    fetch(url + path, { method, headers: { ...headers, ...shown } })

  const refused = async (what: Path, who: string, why: Refusal, shown: Record<string, string>) => {
    const answer = await ask(what, shown)
    const found = [answer.status, await nameOf(what.form, answer)]
    // One assertion for each would be hundreds.
    const wanted = FORMS[what.form][why]
    if (String(found) !== String(wanted)) t.fail(`${what.method} ${what.path} ${who}: ${found}, not ${wanted}`)
  }
  for (const what of PATHS) {
    await refused(what, 'by who says nothing', 'missing', {})
    await refused(what, 'by a token not known', 'unknown', bearer(createToken()))
    await refused(what, 'by a password not known', 'unknown', basic(createToken()))
    await refused(what, 'by a JWT of nobody', 'unknown', bearer(`${anything.slice(0, -4)}AAAA`))
    await refused(what, 'by a key not known, unsigned', 'unknown', { authorization: 'Signature abc' })
    for (const [scope, { token }] of Object.entries(holders))
      if (scope !== what.scope) await refused(what, `by who may ${scope}`, 'forbidden', bearer(token))
    if (what.scope === 'invoke') {
      await refused(what, 'by who may have another called', 'forbidden', bearer(named.token))
      await refused(what, 'by a JWT of who may have another called', 'forbidden', bearer(others))
    }
  }
  t.strictSame([called, await readCalls(stream)], [[], []], 'nothing has been done')

  for (const what of PATHS) {
    const { token } = holders[what.scope as 'invoke']
    for (const shown of [bearer(token), basic(token), bearer(anything)]) {
      const { status } = await ask(what, shown)
      if (status !== what.granted) t.fail(`${what.method} ${what.path}: ${status}, not ${what.granted}`)
    }
  }
  t.ok(called.length > 0)
  t.notMatch(JSON.stringify((await readCalls(stream)).map(({ value }) => Buffer.from(value).toString())), /pht_/)
})

t.test('a callback that a caller may not name is refused at the door that has it', async (t) => {
  const { holder, token } = holderOf({ scopes: ['invoke'], functions: ['resize'] })
  const { called, stream, url } = await startForAll(t, credentialsOf([holder]))
  for (const [path, to] of [
    ['/async-function/resize', 'https://api.example.com/'],
    ['/function/resize/async', 'https://api.example.com/'],
    ['/function/resize/async', 'other/async'],
    ['/function/resize/async', 'function://other'],
  ] as const) {
    const headers = { ...bearer(token), 'x-callback-url': to }
    t.equal((await fetch(url + path, { method: 'POST', headers })).status, 403, `${path} ${to}`)
  }
  const raw = `${url}/call?to=function://resize&forwardTo=function://other&token=${token}`
  t.equal((await fetch(raw, { method: 'POST' })).status, 403)
  t.strictSame([called, await readCalls(stream)], [[], []])
})

interface Way {
  readonly sign: typeof signedByAws
  readonly system: 'aws' | 'alibaba'
}

const [AWS, ACS, FC] = [
  { sign: signedByAws, system: 'aws' },
  { sign: signedByAlibaba, system: 'alibaba' },
  { sign: signedForVersion2, system: 'alibaba' },
] as const satisfies readonly Way[]

/** How a request may be signed: at the URL of a function as any door there takes it. */
function waysAt({ form, path }: Path): readonly Way[] {
  if (/^\/20\d\d-.*\/services\//.test(path)) return [ACS, FC]
  if (form === 'aws') return [AWS]
  if (/^\/(function|square)/.test(path)) return [AWS, ACS]
  return form.startsWith('alibaba') ? [ACS] : []
}

/** By what is told that a key is not known, or a secret is wrong. */
const DOUBTS: Readonly<Record<Exclude<Form, 'text'>, Readonly<Record<'key' | 'secret', readonly [number, string]>>>> = {
  problem: { key: [401, 'unauthenticated'], secret: [401, 'unauthenticated'] },
  aws: { key: [403, 'UnrecognizedClientException'], secret: [403, 'InvalidSignatureException'] },
  gateway: { key: [403, 'UnrecognizedClientException'], secret: [403, 'InvalidSignatureException'] },
  alibaba: { key: [403, 'InvalidAccessKeyID'], secret: [403, 'SignatureNotMatch'] },
  alibaba2016: { key: [403, 'InvalidAccessKeyID'], secret: [403, 'SignatureNotMatch'] },
}

/** Without a mark who signs is told as his system does. */
function formFor({ form, headers, path }: Path, { system }: Way): Exclude<Form, 'text'> {
  const isAtOnce = form === 'problem' && Object.keys(headers ?? {}).length === 0 && !path.endsWith('/async')
  if (isAtOnce) return system === 'aws' ? 'gateway' : 'alibaba'
  return form as Exclude<Form, 'text'>
}

t.test('a key lets in at the doors of its systems alone, and there whom his scope lets in', async (t) => {
  const user = ['invoke', 'read', 'control'] as const
  const [may, operates, named] = [
    { name: 'may', scopes: user },
    { name: 'operates', scopes: ['operate'] as const },
    { name: 'named', scopes: user, functions: ['other'] },
  ].map((given) => {
    const key = createAccessKey()
    return { key, holder: holderOf({ ...given, accessKeys: [key] }).holder }
  }) as [Keyed, Keyed, Keyed]
  const { called, stream, url } = await startForAll(
    t,
    credentialsOf([may, operates, named].map(({ holder }) => holder)),
  )
  const ask = ({ headers = {}, method, path }: Path, { sign }: Way, { id, secret }: Keyed['key']) =>
    fetch(url + path, { method, headers: sign({ url: url + path, method, headers }, { id, secret }) })
  const refused = async (what: Path, way: Way, key: Keyed['key'], form: Form, wanted: readonly unknown[]) => {
    const answer = await ask(what, way, key)
    const found = [answer.status, await nameOf(form, answer)]
    if (String(found) !== String(wanted)) t.fail(`${what.method} ${what.path} ${way.system}: ${found}, not ${wanted}`)
  }
  for (const what of PATHS) {
    const ways = waysAt(what)
    for (const way of ways) {
      const form = formFor(what, way)
      await refused(what, way, createAccessKey(), form, DOUBTS[form].key)
      await refused(what, way, { ...may.key, secret: operates.key.secret }, form, DOUBTS[form].secret)
      await refused(what, way, operates.key, form, FORMS[form].forbidden)
      if (what.scope === 'invoke') await refused(what, way, named.key, form, FORMS[form].forbidden)
    }
    for (const way of [AWS, ACS, FC].filter(({ system }) => !ways.some((one) => one.system === system)))
      await refused(what, way, may.key, what.form, FORMS[what.form].unknown)
  }
  t.strictSame([called, await readCalls(stream)], [[], []], 'nothing has been done')

  for (const what of PATHS) {
    for (const way of waysAt(what)) {
      const { status } = await ask(what, way, may.key)
      if (status !== what.granted) t.fail(`${what.method} ${what.path} ${way.system}: ${status}, not ${what.granted}`)
    }
  }
  t.ok(called.length > 0)
})

interface Keyed extends Pick<ReturnType<typeof holderOf>, 'holder'> {
  readonly key: ReturnType<typeof createAccessKey>
}

/** That it is too often, and that too much is open. */
const TOO_MUCH: Readonly<Record<Form, readonly [often: string, open: string]>> = {
  text: ['text', 'text'],
  problem: ['rate-limited', 'too-many-open'],
  aws: ['TooManyRequestsException', 'TooManyRequestsException'],
  gateway: ['TooManyRequestsException', 'TooManyRequestsException'],
  alibaba: ['ResourceExhausted', 'ResourceExhausted'],
  alibaba2016: ['ResourceExhausted', 'ResourceExhausted'],
}

t.test('how often somebody may ask, and how much he may have open, counts at doors too', async (t) => {
  const paths = PATHS.filter(({ granted }) => granted === 202)
  const limit = { requestsPerSecond: 0.001, burst: 1 }
  const often = paths.map((_, index) => holderOf({ name: `often-${index}`, scopes: ['invoke'], ...limit }))
  const open = paths.map((_, index) =>
    holderOf({ name: `open-${index}`, tenant: `${index}`, scopes: ['invoke'], openMax: 1 }),
  )
  const { url } = await startForAll(t, credentialsOf([...often, ...open].map(({ holder }) => holder)))
  for (const [index, { form, headers, method, path }] of paths.entries()) {
    for (const [at, holders] of [often, open].entries()) {
      const shown = bearer(holders[index]?.token as string)
      const ask = () => fetch(url + path, { method, headers: { ...headers, ...shown } })
      t.equal((await ask()).status, 202, `${method} ${path}`)
      const second = await ask()
      t.strictSame([second.status, await nameOf(form, second)], [429, TOO_MUCH[form][at]], `${method} ${path}`)
      t.match(second.headers.get('retry-after'), /^\d+$/)
    }
  }
})
