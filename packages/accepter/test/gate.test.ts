import dns from 'node:dns/promises'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { connect } from 'node:net'
import { type OriginPattern, parseOriginPattern, parseTokenFile } from '@posthaste/core'
import t from 'tap'
import { ask } from './api-client.js'
import { bearer, credentialsOf, holderOf } from './callers.js'
import { failed, startOne } from './installation.js'
import { exchangeRaw, JSON_TYPE, Notebook, startAccepter } from './setting.js'

const MINE = 'https://api.example.com/mine'
const OTHER = 'https://other.example.com/'

t.test('a token names what it may have called', async (t) => {
  const door = new Notebook()
  const [{ targets = [] } = {}] = parseTokenFile({
    tokens: [
      {
        name: 'a',
        sha256: '0'.repeat(64),
        scopes: ['invoke'],
        targets: ['https://api.example.com', '*://*.mine.com:*'],
      },
    ],
  })
  const { holder, token } = holderOf({ scopes: ['invoke'], targets })
  const { url } = await startAccepter(t, { invocations: door, credentials: credentialsOf([holder]) })
  const headers = bearer(token)
  for (const target of [MINE, 'https://api.example.com.:443/', 'http://a.b.mine.com:8080/x']) {
    const { status } = await ask(url, 'createInvocation', { headers, body: { target } })
    t.equal(status, 202, target)
  }
  const refused = [
    'http://api.example.com/',
    'https://api.example.com:8443/',
    'https://api.example.com.evil.com/',
    OTHER,
  ]
  for (const target of [...refused, 'https://mine.com/', 'https://evilmine.com/']) {
    const { json, status } = await ask(url, 'createInvocation', { headers, body: { target } })
    t.match({ status, json }, { status: 403, json: { code: 'forbidden', errors: [{ pointer: '/target' }] } }, target)
  }
  for (const field of ['forwardTo', 'onSuccess', 'onFailure']) {
    const instruction = { target: MINE, [field]: OTHER }
    const { json, status } = await ask(url, 'createInvocation', { headers, body: instruction })
    t.match({ status, json }, { status: 403, json: { errors: [{ pointer: `/${field}` }] } })
    const every = await ask(url, 'createSchedule', { headers, body: { every: '1h', instruction } })
    t.match(every, { status: 403, json: { errors: [{ pointer: `/instruction/${field}` }] } })
  }
  t.equal(door.appends.length, 3, 'nothing else is on the stream')
  const invocations = [{ target: OTHER }, { target: MINE }]
  const { json } = await ask(url, 'createInvocations', { headers, body: { invocations } })
  t.match(json.results, [{ status: 403, problem: { code: 'forbidden' } }, { status: 202 }])
  t.equal(door.appends[3]?.length, 1)
})

t.test('a token has nothing redriven that it may not have called', async (t) => {
  const { holder, token } = holderOf({
    scopes: ['control'],
    targets: [parseOriginPattern('https://api.example.com') as OriginPattern],
  })
  const sender = holderOf({ scopes: ['invoke'] })
  const one = await startOne(t, { credentials: credentialsOf([holder, sender.holder]) })
  const targets = [{ target: MINE }, { target: OTHER }, { target: MINE, forwardTo: OTHER }]
  const [mine = '', ...others] = await failed(one, targets, bearer(sender.token))
  for (const id of others)
    t.match(await ask(one.url, 'redriveInvocation', { id, headers: bearer(token) }), {
      status: 403,
      json: { code: 'forbidden' },
    })
  const all = await ask(one.url, 'redriveInvocations', { headers: bearer(token), body: { filter: {} } })
  t.match(all.json, { matched: 3, done: 1, skipped: 2 })
  t.equal((await ask(one.url, 'redriveInvocation', { id: mine, headers: bearer(token) })).status, 409, 'that one is')
})

t.test('who may not ask is answered before he has sent it', async (t) => {
  const { holder, token } = holderOf({ scopes: ['read'] })
  const { port } = await startAccepter(t, { credentials: credentialsOf([holder]) })
  for (const [authorization, status] of [
    ['', 401],
    [`Authorization: Bearer ${token}\r\n`, 403],
  ]) {
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    const head = 'POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n'
    socket.write(`${head}${authorization}\r\n`)
    const [answer] = await once(socket, 'data')
    t.match(String(answer), new RegExp(`^HTTP/1.1 ${status} `))
    socket.destroy()
  }
})

t.test('why a process is not ready only operators are told', async (t) => {
  const operator = holderOf({ scopes: ['operate'] })
  const reader = holderOf({ scopes: ['read'] })
  const clock = { aheadMs: 1, uncertaintyMs: 1 }
  let ready = false
  const { url } = await startAccepter(t, {
    credentials: credentialsOf([operator.holder, reader.holder]),
    readiness: async () => ({ ready, reasons: ready ? [] : ['The broker b1:9092 is away.'], clock }),
  })
  const readiness = (token?: string) => ask(url, 'getReadiness', token === undefined ? {} : { headers: bearer(token) })
  t.match(await readiness(operator.token), { status: 503, json: { reasons: ['The broker b1:9092 is away.'], clock } })
  for (const token of [undefined, reader.token, 'unknown']) {
    const { status, text } = await readiness(token)
    t.equal(status, 503)
    t.notMatch(text, /b1|ahead/)
  }
  ready = true
  t.strictSame((await readiness()).json, { status: 'ready', reasons: [] })
  t.match((await readiness(operator.token)).json, { status: 'ready', clock })
})

t.test('what operators ask can be served apart', async (t) => {
  const cycle = { ping: async () => ({ drained: true }) }
  const metrics = async () => ({ contentType: 'text/plain', text: 'up 1\n' })
  const main = await startOne(t, { cycle, metrics, serves: (scope) => scope !== 'operate' })
  const admin = await startOne(t, { cycle, metrics, serves: (scope) => scope === 'operate' || scope === 'open' })
  const status = async (url: string, path: string) => (await fetch(url + path)).status
  for (const path of ['/cycle', '/metrics', '/stats'])
    t.strictSame([await status(main.url, path), await status(admin.url, path)], [404, 200], path)
  for (const path of ['/invocations', '/schedules'])
    t.strictSame([await status(main.url, path), await status(admin.url, path)], [200, 404], path)
  for (const path of ['/livez', '/readyz', '/openapi.json'])
    t.strictSame([await status(main.url, path), await status(admin.url, path)], [200, 200], path)
  const { paths } = (await ask(main.url, 'getOpenApi')).json
  t.notOk('/cycle' in paths, 'the document says so')
})

t.test('without tokens no page of another site may ask', async (t) => {
  const door = new Notebook()
  const { port, url } = await startAccepter(t, { invocations: door })
  const rebound = { host: `evil.example.com:${port}`, origin: `http://evil.example.com:${port}` }
  const foreign = [
    { origin: 'https://evil.example.com' },
    { origin: 'null' },
    { origin: 'http://127.0.0.1:1' },
    rebound,
  ]
  for (const headers of foreign) t.equal(await postAs(port, headers), 403, headers.origin)
  t.equal(door.appends.length, 0)
  const own = [
    {},
    { host: 'evil.example.com' },
    { origin: url },
    sameHost(`localhost:${port}`),
    sameHost(`[::1]:${port}`),
  ]
  for (const headers of own) t.equal(await postAs(port, headers), 202, JSON.stringify(headers))
  const { holder, token } = holderOf({ scopes: ['invoke'] })
  const guarded = await startAccepter(t, { invocations: door, credentials: credentialsOf([holder]) })
  t.equal(await postAs(guarded.port, { ...rebound, ...bearer(token) }), 202, 'a token is better than an origin')
})

t.test('what is refused is told by its code', async (t) => {
  const { holder, token } = holderOf({ scopes: ['invoke'], requestsPerSecond: 0.001, burst: 6, targets: [] })
  const codes: string[] = []
  const { url } = await startOne(t, { credentials: credentialsOf([holder]), onRefused: (code) => codes.push(code) })
  const headers = bearer(token)
  await ask(url, 'createInvocation', { body: {} })
  await ask(url, 'cancelInvocations', { headers, body: {} })
  await ask(url, 'createInvocation', { headers, body: {} })
  await ask(url, 'createInvocations', { headers, body: { invocations: Array(5).fill({ target: MINE }) } })
  await ask(url, 'createInvocation', { headers, body: {} })
  await fetch(`${url}/nowhere`)
  await fetch(`${url}/invocations`, { method: 'PUT' })
  await exchangeRaw(Number(new URL(url).port), 'no HTTP\r\n\r\n')
  const inBatch = [...Array(4).fill('forbidden'), 'rate-limited']
  t.strictSame(codes, [
    'unauthenticated',
    'forbidden',
    'missing-field',
    ...inBatch,
    'rate-limited',
    'not-found',
    'method-not-allowed',
    'bad-request',
  ])
})

t.test('a name of this machine that leads elsewhere is not listened on', async (t) => {
  const { lookup } = dns
  t.teardown(() => resolveBy(lookup))
  resolveBy((async () => ({ address: '0.0.0.0', family: 4 })) as unknown as typeof lookup)
  await t.rejects(startAccepter(t, { host: 'localhost' }), { code: 'invalid-configuration', message: /0\.0\.0\.0/ })
  resolveBy(lookup)
  t.match((await startAccepter(t, { host: 'localhost' })).url, /\/\/(127\.0\.0\.1|\[::1\]):/)
})

/** As if the hosts file said so. */
function resolveBy(lookup: typeof dns.lookup): void {
  dns.lookup = lookup
  syncBuiltinESMExports()
}

function sameHost(host: string): { host: string; origin: string } {
  return { host, origin: `http://${host}` }
}

/** The status of an answer to an instruction; unlike `fetch` it sends any header. */
async function postAs(port: number, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  const sent = request({
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/invocations',
    headers: { ...JSON_TYPE, ...headers },
  })
  sent.end(JSON.stringify({ target: MINE }))
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  answer.resume()
  return answer.statusCode
}
