import { createHmac } from 'node:crypto'
import { createId, createToken, hashToken, SCOPES, type Scope } from '@posthaste/core'
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, importJWK } from 'jose'
import t, { type Test } from 'tap'
import type { AccepterOptions } from '../src/index.js'
import type { Operation } from '../src/operation.js'
import { OPERATIONS } from '../src/operations.js'
import { ask, type OperationName } from './api-client.js'
import { bearer, credentialsOf, holderOf, jwtCallers, nowS, startIssuer } from './callers.js'
import { startOne } from './installation.js'
import { exchangeRaw, parseRaw, readCalls } from './setting.js'

const PING_SECRET = 'a-secret-of-pings-0123'
const TARGET = 'https://api.example.com/'
/** Long ago: that there is no such invocation is known at once. */
const ID = createId(Date.now() - 86_400_000)

interface Sent {
  readonly body?: object
  readonly query?: Readonly<Record<string, string>>
}

/** What is sent for each operation, and what who may ask is answered. Every operation must have its line. */
const REQUESTS: Readonly<Record<OperationName, Sent & { readonly passes: number }>> = {
  createInvocation: { body: { target: TARGET }, passes: 202 },
  createInvocations: { body: { invocations: [{ target: TARGET }] }, passes: 200 },
  callByQuery: { query: { to: TARGET }, passes: 202 },
  callByPath: { passes: 202 },
  getInvocation: { passes: 404 },
  getResponse: { passes: 404 },
  listInvocations: { passes: 200 },
  cancelInvocation: { passes: 404 },
  moveInvocation: { body: { delay: '1m' }, passes: 404 },
  redriveInvocation: { passes: 404 },
  createSchedule: { body: { every: '1h', instruction: { target: TARGET } }, passes: 201 },
  listSchedules: { passes: 200 },
  getSchedule: { passes: 404 },
  pauseSchedule: { passes: 404 },
  resumeSchedule: { passes: 404 },
  deleteSchedule: { passes: 404 },
  redriveInvocations: { body: { filter: {} }, passes: 200 },
  cancelInvocations: { body: { filter: { target: 'https://nowhere.example.com' } }, passes: 200 },
  getStats: { passes: 200 },
  getMetrics: { passes: 200 },
  ping: { passes: 200 },
  pingByPost: { passes: 200 },
  getLiveness: { passes: 200 },
  getReadiness: { passes: 200 },
  getOpenApi: { passes: 200 },
}
/** Who has a tenant may not look at all of them. */
const NOT_OPERATE = SCOPES.filter((scope) => scope !== 'operate')
const NAMES = Object.keys(OPERATIONS) as OperationName[]

/** One kind of caller. */
interface Kind {
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  /** What he may do; left out: he is not known. */
  readonly scopes?: readonly Scope[]
  /** Known for pings alone. */
  readonly pings?: true
}

t.test('who may ask for what', async (t) => {
  const { kinds, pings, stream, url } = await open(t)
  const strangers = Object.entries(kinds).filter(([, { pings, scopes }]) => !pings && !scopes?.length)
  const others = Object.entries(kinds).filter(([who]) => !strangers.some(([stranger]) => stranger === who))
  t.ok(strangers.length > 20, `${strangers.length} kinds of strangers`)
  for (const [who, kind] of strangers) await Promise.all(NAMES.map((name) => check(t, url, name, who, kind)))
  t.strictSame([await readCalls(stream), pings.count], [[], 0], 'strangers have done nothing')
  for (const [who, kind] of others) await Promise.all(NAMES.map((name) => check(t, url, name, who, kind)))
  t.ok((await readCalls(stream)).length > 0 && pings.count > 0, 'others have')
})

async function check(t: Test, url: string, name: OperationName, who: string, kind: Kind): Promise<void> {
  const { scope, takesPingKey } = OPERATIONS[name] as unknown as Operation
  const { body, passes, query: asked } = REQUESTS[name]
  const isKnown = kind.scopes !== undefined || (kind.pings && takesPingKey)
  const may = scope === 'open' || kind.scopes?.includes(scope) || (kind.pings && takesPingKey)
  const wanted = may ? passes : isKnown ? 403 : 401
  // What may go on would be told that it takes no such parameter.
  const query = { ...asked, ...((takesPingKey || !may) && kind.query) }
  const { headers, json, status } = await ask(url, name, {
    id: ID,
    ...(body && { body }),
    query,
    ...(kind.headers && { headers: kind.headers }),
  })
  // One assertion for each would be thousands.
  const challenge = headers.get('www-authenticate') ?? ''
  const isTold =
    wanted < 401 || wanted > 403
      ? challenge === ''
      : challenge.startsWith('Bearer realm="posthaste"') &&
        json.code === (wanted === 401 ? 'unauthenticated' : 'forbidden')
  if (status !== wanted || !isTold) t.fail(`${name} by ${who}: ${status}, not ${wanted}`, { challenge, json })
}

t.test('no way of writing a request leads past the gate', async (t) => {
  const { pings, stream, url } = await open(t)
  const port = Number(new URL(url).port)
  const paths = ['/cycle', '/metrics', '/stats', '/invocations', '/schedules', `/invocations/${ID}`]
  const written = paths.flatMap((path) => [
    path,
    `${path}/`,
    `/${path}`,
    `/.${path}`,
    `/livez/..${path}`,
    `/livez/%2e%2e${path}`,
    `/%${path.charCodeAt(1).toString(16)}${path.slice(2)}`,
    `/%25${path.charCodeAt(1).toString(16)}${path.slice(2)}`,
    path.toUpperCase(),
    `${path}%00`,
    `${path};a=b`,
    `${path}?`,
    `${path}#a`,
    `http://livez${path}`,
    `http://127.0.0.1${path}`,
    `${path}\\..\\livez`,
  ])
  const methods = ['GET', 'POST', 'DELETE', 'OPTIONS', 'TRACE']
  const statuses = new Set<number>()
  for (const method of methods) {
    for (const answer of await Promise.all(written.map((path) => exchangeRaw(port, strange(method, path))))) {
      const { status } = parseRaw(answer)
      statuses.add(status)
      if (![400, 401, 404, 405].includes(status)) t.fail(`${method}: ${answer}`)
    }
  }
  t.ok(statuses.has(401) && statuses.has(404), [...statuses].join(' '))
  t.strictSame([await readCalls(stream), pings.count], [[], 0], 'nothing has been done')
})

/** A request of somebody unknown, who would pass for somebody else. */
function strange(method: string, path: string): string {
  const body = JSON.stringify({ target: TARGET })
  const others = [
    'X-HTTP-Method-Override: GET',
    'X-Original-URL: /livez',
    'X-Rewrite-URL: /livez',
    'X-Forwarded-For: ::1',
  ]
  const head = [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...others, 'Content-Type: application/json']
  return [...head, `Content-Length: ${body.length}`, 'Connection: close', '', body].join('\r\n')
}

t.test('a HEAD needs what a GET does', async (t) => {
  const { url } = await open(t)
  for (const name of NAMES) {
    const { method, path, scope } = OPERATIONS[name] as unknown as Operation
    if (method !== 'GET') continue
    const { status } = await fetch(url + path.replace('{id}', ID), { method: 'HEAD' })
    t.equal(status, scope === 'open' ? 200 : 401, name)
  }
})

t.test('where nobody has to say who he is everybody may everything', async (t) => {
  const { url, view } = await startOne(t, doors({ count: 0 }))
  await view.until(() => view.asOfMs() > 0 || undefined, 10_000)
  for (const name of NAMES) {
    const { passes, ...sent } = REQUESTS[name]
    for (const headers of [{}, bearer('whatever')])
      t.equal((await ask(url, name, { id: ID, headers, ...sent })).status, passes, name)
  }
})

async function open(t: Test) {
  const issuer = await startIssuer()
  const single = SCOPES.map((scope) => holderOf({ scopes: [scope] }))
  const all = holderOf({ scopes: SCOPES, name: 'all' })
  const none = holderOf({ scopes: [] })
  const [before, after] = [createToken(), createToken()]
  const rotating = { ...all.holder, name: 'rotating', hashes: [hashToken(before), hashToken(after)] }
  const tenant = holderOf({ scopes: NOT_OPERATE, name: 'tenant', tenant: 'acme' })
  const holders = [...single.map(({ holder }) => holder), all.holder, none.holder, rotating, tenant.holder]
  const pings = { count: 0 }
  const { stream, url, view } = await startOne(t, {
    ...doors(pings),
    credentials: credentialsOf(holders, jwtCallers(issuer.keys)),
    pingSecret: PING_SECRET,
  })
  await view.until(() => view.asOfMs() > 0 || undefined, 10_000)
  const kinds: Record<string, Kind> = {
    ...strangersWithout(all.token),
    ...(await strangersWithJwt(issuer)),
    'who may nothing': { headers: bearer(none.token), scopes: [] },
    ...Object.fromEntries(
      single.map(({ holder, token }) => [holder.name, { headers: bearer(token), scopes: holder.scopes }]),
    ),
    'who may everything': { headers: bearer(all.token), scopes: SCOPES },
    'in other letters': { headers: { authorization: `BEARER   ${all.token}` }, scopes: SCOPES },
    'the old token': { headers: bearer(before), scopes: SCOPES },
    'the new token': { headers: bearer(after), scopes: SCOPES },
    'a pinger by query': { query: { key: PING_SECRET }, pings: true },
    'a pinger by header': { headers: { 'posthaste-ping-key': PING_SECRET }, pings: true },
    'a token beside a wrong secret': { headers: bearer(all.token), query: { key: 'wrong' }, scopes: SCOPES },
  }
  kinds['of a tenant'] = { headers: bearer(tenant.token), scopes: NOT_OPERATE }
  for (const scope of SCOPES)
    kinds[`JWT ${scope}`] = { headers: bearer(await issuer.sign({ scope: `openid ${scope}` })), scopes: [scope] }
  kinds['JWT of several audiences'] = {
    headers: bearer(await issuer.sign({ scope: SCOPES.join(' '), aud: ['other', 'posthaste'] })),
    scopes: SCOPES,
  }
  return { kinds, pings, stream, url }
}

function doors(pings: { count: number }): Partial<AccepterOptions> {
  return {
    cycle: {
      ping: async () => {
        pings.count += 1
        return { drained: true }
      },
    },
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
    activity: async () => ({ rates: { acceptedPerSecond: 0, endedPerSecond: 0 } }),
  }
}

function strangersWithout(token: string): Record<string, Kind> {
  const shown = {
    'another scheme': `Token ${token}`,
    'a password without a name': `Basic ${Buffer.from(token).toString('base64')}`,
    'no scheme': token,
    'a scheme alone': 'Bearer',
    'nothing behind the scheme': 'Bearer ',
    'two tokens': `Bearer ${token}, Bearer ${token}`,
    'a token in quotes': `Bearer "${token}"`,
    'an unknown token': `Bearer ${createToken()}`,
    'a token cut short': `Bearer ${token.slice(0, -1)}`,
    'a token with a letter more': `Bearer ${token}A`,
    'the hash instead of the token': `Bearer ${hashToken(token).toString('hex')}`,
    'something endless': `Bearer ${'a'.repeat(8_000)}`,
    'dots alone': 'Bearer ..',
  }
  return {
    'who says nothing': {},
    'a wrong secret of pings': { query: { key: `${PING_SECRET}x` } },
    'an empty secret of pings': { query: { key: '' }, headers: { 'posthaste-ping-key': '' } },
    'a token in the query': { query: { key: token, access_token: token } },
    'a token in a cookie': { headers: { cookie: `token=${token}` } },
    ...Object.fromEntries(Object.entries(shown).map(([who, authorization]) => [who, { headers: { authorization } }])),
  }
}

/** What those try who have the public key of the issuer, and JWTs of his for others. */
async function strangersWithJwt(issuer: Awaited<ReturnType<typeof startIssuer>>): Promise<Record<string, Kind>> {
  const scope = SCOPES.join(' ')
  const other = await generateKeyPair('ES256', { extractable: true })
  const good = await issuer.sign({ scope })
  const [head = '', body = '', signature = ''] = good.split('.')
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const pem = await exportSPKI((await importJWK(issuer.jwk, 'ES256')) as CryptoKey)
  const hmac = (secret: string): string => {
    const text = `${part({ alg: 'HS256', kid: 'one', typ: 'JWT' })}.${body}`
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
  }
  const shown = {
    'a JWT of another issuer': issuer.sign({ scope, iss: 'https://other.example.com' }),
    'a JWT for another audience': issuer.sign({ scope, aud: 'other' }),
    'a JWT for nobody': issuer.sign({ scope, aud: [] }),
    'a JWT past its time': issuer.sign({ scope, exp: nowS() - 60 }),
    'a JWT before its time': issuer.sign({ scope, nbf: nowS() + 60 }),
    'a JWT for ever': issuer.sign({ scope, exp: undefined }),
    'a JWT of no subject': issuer.sign({ scope, sub: undefined }),
    'a JWT of another key': issuer.sign({ scope }, other.privateKey),
    'a JWT of a key that it brings': issuer.sign({ scope }, other.privateKey, {
      jwk: await exportJWK(other.publicKey),
    }),
    'a JWT of an unknown key': issuer.sign({ scope }, other.privateKey, { kid: 'two' }),
    'a JWT that is signed by nobody': `${part({ alg: 'none' })}.${body}.`,
    'a JWT that is signed by nobody, in capitals': `${part({ alg: 'NONE', kid: 'one' })}.${body}.`,
    'a JWT without its signature': `${head}.${body}.`,
    'a JWT with a signature of zeros': `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`,
    'a JWT with other claims': `${head}.${part({ ...claims, sub: 'another' })}.${signature}`,
    'a JWT signed with the public key': hmac(pem),
    'a JWT signed with the JWK': hmac(JSON.stringify(issuer.jwk)),
    'a JWT that is no JSON': `${head}.${Buffer.from('{').toString('base64url')}.${signature}`,
    'a JWT of four parts': `${good}.${signature}`,
  }
  const kinds: Record<string, Kind> = {}
  for (const [who, token] of Object.entries(shown)) kinds[who] = { headers: bearer(await token) }
  kinds['a JWT that may nothing'] = {
    headers: bearer(await issuer.sign({ scope: 'openid profile Invoke' })),
    scopes: [],
  }
  kinds['a JWT whose scope is no text'] = { headers: bearer(await issuer.sign({ scope: ['invoke'] })), scopes: [] }
  return kinds
}
