import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createToken, hashToken, type InstructionInput } from '@posthaste/core'
import t from 'tap'
import { Client } from './harness/client.js'
import { curl, run } from './harness/command-line.js'
import { Control, type Page } from './harness/control.js'
import { runBlocks } from './harness/doc-blocks.js'
import { createEmbedded } from './harness/embedded-installation.js'
import { FunctionProcess, withoutOurs } from './harness/function-process.js'
import { FunctionsFile } from './harness/functions-file.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { untilShown } from './harness/until-shown.js'

// To build the client may take as long as everything else.
t.setTimeout(900_000)

const launcherUrl = new URL('../../scripts/faas-cli.mjs', import.meta.url)
const { faasCli } = (await import(launcherUrl.href)) as typeof import('../scripts/faas-cli.mjs')
const program = await faasCli().catch((error: Error) => {
  // There it is never passed over.
  if (process.env.CI) throw error
  return error
})
const skip = program instanceof Error ? program.message : false

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const NANOSECONDS = /^\d{19}$/
const SECONDS = /^\d+\.\d{6}$/
const LOOK_MS = 20
/** What is shown may be behind for a moment. */
const LISTED_MS_MAX = 60_000

const fn = await FunctionProcess.start(t)
const callbacks = await FunctionProcess.start(t)
const { dataDir } = createEmbedded(t)
const functions = new FunctionsFile(
  t,
  `functions:
  resize: { url: ${fn.url}/resize }
  report: { url: ${fn.url}/wait/60000 }
  echo: { url: ${fn.url}/echo }
  echo.dev: { url: ${fn.url}/dev }
  failing: { url: ${fn.url}/status/500, retry: { maxAttempts: 2, initialDelay: 1ms } }
  gone: { url: "http://127.0.0.1:1", retry: { maxAttempts: 1 } }
  away: { url: "http://127.0.0.1:1" }
  small: { url: ${fn.url}/small, limits: { bodyBytes: 10 } }
  partner: { url: ${fn.url}/partner, acceptStatus: 200 }
  hidden: { url: ${fn.url}/hidden, doors: [boltic] }
`,
).path
const posthaste = await PosthasteProcess.start({ role: 'start', dataDir, settings: { functions } })
t.teardown(() => posthaste.stop())
const { url } = posthaste
const callbackUrl = `${callbacks.url}/done?x=1`

const client = new Client({ timeoutMs: 60_000 })
t.teardown(() => client.close())
const control = new Control(client, url)

/** The invocations with a call id, the latest first, once there are so many. */
async function listed(callId: string, count = 1): Promise<Page['invocations']> {
  for (const untilMs = performance.now() + LISTED_MS_MAX; ; await sleep(LOOK_MS)) {
    const { json } = await client.request(`${url}/invocations?correlationId=${callId}`)
    const { invocations } = json as Page
    if (invocations.length >= count) return invocations
    if (performance.now() > untilMs) throw new Error(`Of ${callId} there are ${invocations.length}.`)
  }
}

t.test('faas-cli, as it is', { skip }, async (t) => {
  const invoke = (args: string[], input: string) => run(String(program), ['invoke', ...args, '--gateway', url], input)

  const header = ['-H', `X-Callback-Url=${callbackUrl}`, '-H', 'X-Mine=m', '--query', 'size=l']
  const later = await invoke(['echo', '--async', ...header, '--content-type', 'text/csv'], 'by cli; later')
  t.match(later, { code: 0, stderr: /Function submitted asynchronously/ }, 'it is submitted')
  const came = await fn.got('by cli; later')
  t.match(came, { method: 'POST', path: '/echo?size=l' })
  t.match(came.headers, { 'content-type': 'text/csv', 'x-mine': 'm', 'x-call-id': UUID, 'x-start-time': NANOSECONDS })
  const told = await callbacks.got('by cli; later')
  t.match(told, { method: 'POST', path: '/done?x=1' })
  t.match(told.headers, {
    'x-function-name': 'echo',
    'x-function-status': '200',
    'x-call-id': came.headers['x-call-id'],
  })

  const now = await invoke(['echo', '-m', 'PUT'], 'by cli, now')
  t.match(now, { code: 0, stdout: 'by cli, now' })
  t.equal((await fn.got('by cli, now')).method, 'PUT')
  t.match(await invoke(['echo', '-n', 'dev'], 'of a namespace'), { code: 0, stdout: 'of a namespace' })
  t.equal((await fn.got('of a namespace')).path, '/dev')

  for (const args of [['nothing'], ['nothing', '--async'], ['hidden', '--async']]) {
    const refused = await invoke(args, 'x')
    t.not(refused.code, 0)
    t.match(refused.stderr + refused.stdout, /404|not found/i, `${args}`)
  }
})

t.test('faas-cli shows a token as a header', { skip }, async (t) => {
  const token = createToken()
  const { dataDir } = createEmbedded(t)
  const tokens = join(dataDir, 'tokens.json')
  const entry = { name: 'shop', scopes: ['invoke'], sha256: hashToken(token).toString('hex') }
  writeFileSync(tokens, JSON.stringify({ tokens: [entry] }))
  const guarded = await PosthasteProcess.start({ role: 'start', dataDir, settings: { functions, tokens } })
  t.teardown(() => guarded.stop())
  const invoke = (body: string, ...args: string[]) =>
    run(String(program), ['invoke', 'echo', '--async', '--gateway', guarded.url, ...args], body)
  t.match(await invoke('by nobody'), { code: 1, stdout: /Unauthorized/ })
  t.match(await invoke('by shop', '-H', `Authorization=Bearer ${token}`), { code: 0 })
  t.notOk((await fn.got('by shop')).headers.authorization, 'that is for us')
})

t.test('202 says which call it is, and nothing else', async (t) => {
  const answer = await curl(`${url}/async-function/echo/a%20b/c?d=e&d=f`, '-d', 'named', '-H', 'X-Call-Id: mine-1')
  const { 'x-call-id': callId, 'x-start-time': startTime, ...others } = answer.headers
  t.strictSame([answer.status, answer.body, callId], [202, '', 'mine-1'])
  t.match(startTime, NANOSECONDS)
  t.ok(Math.abs(Number(startTime) / 1e6 - Date.now()) < 60_000, 'in nanoseconds since 1970')
  t.strictSame(Object.keys(others).sort(), ['connection', 'content-length', 'date', 'keep-alive'])
  const came = await fn.got('named')
  t.match(came, { method: 'POST', path: '/echo/a%20b/c?d=e&d=f' })
  t.match(came.headers, { 'x-call-id': 'mine-1', 'content-type': 'application/x-www-form-urlencoded' })
  t.match((await curl('-X', 'POST', `${url}/async-function/echo/`)).headers['x-call-id'], UUID, 'or a new id')
  t.equal((await curl('-X', 'POST', `${url}/async-function/partner`)).status, 200, 'where a partner insists')

  const again = ['-d', 'one of two', '-H', 'Idempotency-Key: k1']
  const [one, other] = [
    await curl(`${url}/async-function/echo`, ...again),
    await curl(`${url}/async-function/echo`, ...again),
  ]
  for (const name of ['x-call-id', 'x-start-time'])
    t.equal(other.headers[name], one.headers[name], `of what came before it is the same ${name}`)
})

t.test('it is tried again as the queue worker does', async (t) => {
  const { headers } = await curl(`${url}/async-function/away`, '-d', 'x')
  const retry = {
    maxAttempts: 10,
    initialDelay: '10s',
    factor: 2,
    maxDelay: '2m',
    jitter: 'none',
    statuses: ['408', '429', '500', '502', '504'],
  }
  t.match(await untilShown(control, String(headers['x-call-id']), () => true), { instruction: { retry } })
})

t.test('a callback is the response, with its headers and what there is to say of it', async (t) => {
  const post = ['-X', 'POST', '-H', `X-Callback-Url: ${callbackUrl}`, '-H', 'Content-Type: text/csv']
  const { headers } = await curl(`${url}/async-function/echo`, ...post, '-d', 'a;b')
  const told = await callbacks.got('a;b')
  t.match(told, { method: 'POST', path: '/done?x=1' })
  const { date, 'x-duration-seconds': duration, ...rest } = withoutOurs(told)
  t.strictSame(rest, {
    'content-type': 'text/csv',
    'x-from': 'function',
    'x-call-id': headers['x-call-id'],
    'x-start-time': headers['x-start-time'],
    'x-function-name': 'echo',
    'x-function-status': '200',
  })
  t.match(duration, SECONDS)
  t.ok(date, 'that of the response')

  await curl(`${url}/async-function/failing`, ...post, '-d', 'tried twice')
  t.equal((await callbacks.got('tried twice')).headers['x-function-status'], '500')
  t.equal(fn.with('tried twice').length, 2)
  t.equal(callbacks.with('tried twice').length, 1, 'the last answer alone')

  await curl(`${url}/async-function/gone`, ...post, '-d', 'nobody there')
  const empty = await callbacks.got('')
  t.match(empty.headers, { 'x-function-status': '503', 'x-function-name': 'gone', 'x-duration-seconds': SECONDS })
})

t.test('X-Call-Id is whatever a client calls it, and nothing that stands for something', async (t) => {
  const id = '{status} {{id}} %0d%0a <x>'
  const args = ['-d', 'odd id', '-H', `X-Call-Id: ${id}`, '-H', `X-Callback-Url: ${callbackUrl}`]
  t.equal((await curl(`${url}/async-function/echo`, ...args)).headers['x-call-id'], id)
  t.equal((await fn.got('odd id')).headers['x-call-id'], id)
  t.equal((await callbacks.got('odd id')).headers['x-call-id'], id)
})

t.test('DELETE has a call made no more', async (t) => {
  const told = ['-H', `X-Callback-Url: ${callbackUrl}`]
  for (const [name, path] of [
    ['by-id', '/async-function/by-id'],
    ['by-name', '/async-function/away/by-name'],
    ['with-slash', '/async-function/with-slash/'],
  ] as const) {
    await curl(`${url}/async-function/away`, '-d', name, '-H', `X-Call-Id: ${name}`, ...told)
    const [{ id } = { id: '' }] = await listed(name)
    const cancelled = await curl('-X', 'DELETE', url + path)
    t.strictSame([cancelled.status, cancelled.body], [202, ''], path)
    await untilShown(control, id, ({ state }) => state === 'cancelled')
    t.equal((await listed(name)).length, 1, 'and nobody is told')
  }
  t.equal((await curl('-X', 'DELETE', `${url}/async-function/by-nobody`)).status, 404)
  t.equal((await curl('-X', 'DELETE', `${url}/async-function/echo/by-name`)).status, 404, 'of another function')
})

t.test('DELETE means the call, whatever else has its id', async (t) => {
  const named = ['-d', 'shared', '-H', 'X-Call-Id: shared']
  await curl(`${url}/async-function/echo`, ...named, '-H', `X-Callback-Url: ${callbacks.url}/status/503`)
  await callbacks.got('shared')
  // What gives rise to another is shown with it.
  await listed('shared', 2)
  const ended = await curl('-X', 'DELETE', `${url}/async-function/shared`)
  t.match(ended, { status: 409, body: /succeeded/ }, 'not its callback, which is tried again')
  const native: InstructionInput = { target: callbacks.url, correlationId: 'shared', delay: '1h' }
  await client.accept(url, native)
  await curl(`${url}/async-function/away`, ...named)
  await listed('shared', 4)
  t.equal((await curl('-X', 'DELETE', `${url}/async-function/shared`)).status, 202)
  const states = (await listed('shared')).map(({ state }) => state)
  t.ok(states.includes('scheduled'), 'nor what was never called by this door')
})

t.test('what cannot be taken is said in words', async (t) => {
  for (const [path, args, status, words] of [
    ['/async-function/nothing', ['-d', 'x'], 404, /There is no function "nothing"/],
    ['/async-function/hidden', ['-d', 'x'], 404, /There is no function "hidden"/],
    ['/async-function/echo', ['-d', 'x', '-H', 'X-Callback-Url: nowhere'], 400, /X-Callback-Url/],
    ['/async-function/echo', ['-d', 'x', '-H', 'X-Callback-Url: http://'], 400, /^X-Callback-Url: /],
    ['/async-function/echo', ['-d', 'x', '-H', 'X-Callback-Url: http://a b/'], 400, /^X-Callback-Url: /],
    ['/async-function/echo', ['-d', 'x', '-H', 'X-Callback-Url: function://hidden'], 400, /X-Callback-Url/],
    ['/async-function/echo', ['-d', 'x', '-H', 'X-Callback-Url: http://10.0.0.1/'], 422, /^X-Callback-Url: /],
    ['/async-function/echo', ['-d', 'x', '-H', `X-Call-Id: ${'x'.repeat(257)}`], 400, /X-Call-Id/],
    ['/async-function/small', ['-d', 'more than ten'], 413, /10 bytes/],
    ['/async-function/echo', [], 405, /POST/],
    ['/async-function/echo/a/b', ['-X', 'PUT'], 405, /POST/],
  ] as const) {
    const answer = await curl(url + path, ...args)
    t.equal(answer.status, status, `${path} ${args}`)
    t.match(answer.body, words)
    t.equal(answer.headers['content-type'], 'text/plain; charset=utf-8')
    if (status === 405) t.match(answer.headers.allow, /^POST/)
  }
  t.equal(
    (await curl(`${url}/async-function/echo`, '-d', 'x', '-H', 'X-Callback-Url;')).status,
    202,
    'that says nothing',
  )
  const large = join(dataDir, 'large')
  writeFileSync(large, Buffer.alloc(2_000_000))
  t.equal(
    (await curl(`${url}/async-function/echo`, '--data-binary', `@${large}`)).status,
    413,
    'larger than any record',
  )
})

t.test('what docs/front-doors.md shows of it is true', { skip }, async (t) => {
  const options = { receiverUrl: callbacks.url, programs: dirname(String(program)) }
  runBlocks(t, 'OpenFaaS', url, ['sh', 'sh', 'sh'], options)
})
