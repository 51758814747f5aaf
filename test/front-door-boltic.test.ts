import t from 'tap'
import { curl } from './harness/command-line.js'
import { runBlocks } from './harness/doc-blocks.js'
import { createEmbedded } from './harness/embedded-installation.js'
import { FunctionProcess, withoutOurs } from './harness/function-process.js'
import { FunctionsFile } from './harness/functions-file.js'
import { PosthasteProcess } from './harness/posthaste-process.js'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const SECONDS = /^\d+\.\d{6}$/
/** As in the example of Boltic. */
const REQUEST_ID = 'eb8283f5-62a9-4a4b-a1e2-6d07d1a3e2c1'

const fn = await FunctionProcess.start(t)
const callbacks = await FunctionProcess.start(t)
const { dataDir } = createEmbedded(t)
const functions = new FunctionsFile(
  t,
  `functions:
  resize: { url: ${fn.url}/resize }
  mail: { url: ${fn.url}/mail }
  echo: { url: ${fn.url}/echo, routes: [/shop/orders] }
  next: { url: ${fn.url}/next }
  failing: { url: ${fn.url}/status/404 }
  gone: { url: "http://127.0.0.1:1", retry: { maxAttempts: 1 } }
  small: { url: ${fn.url}/small, limits: { bodyBytes: 10 } }
  hidden: { url: ${fn.url}/hidden, doors: [openfaas] }
`,
).path
const posthaste = await PosthasteProcess.start({ role: 'start', dataDir, settings: { functions } })
t.teardown(() => posthaste.stop())
const { url } = posthaste
const callbackUrl = `${callbacks.url}/done?x=1`
const CALLBACK = ['-H', `X-Callback-Url: ${callbackUrl}`]

t.test('/async behind the URL of a function has it called later, by any method but GET', async (t) => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    const body = `later by ${method}`
    const answer = await curl('-X', method, `${url}/function/echo/a/async?b=c`, '-d', body, '-H', 'X-Mine: m')
    t.strictSame([answer.status, answer.body], [202, ''])
    t.match(answer.headers['x-request-id'], UUID)
    const came = await fn.got(body)
    t.match(came, { method, path: '/echo/a?b=c' })
    t.match(came.headers, { 'x-mine': 'm', 'x-request-id': answer.headers['x-request-id'] })
  }
  t.equal((await curl(`${url}/shop/orders/7/async/`, '-d', 'by a route')).status, 202)
  t.equal((await fn.got('by a route')).path, '/echo/7')

  const refused = await curl(`${url}/function/echo/async`)
  t.match([refused.status, refused.headers.allow], [405, 'POST, PUT, PATCH, DELETE'])
  t.match(
    await curl(`${url}/function/echo`, '-d', 'at once'),
    { status: 200, body: 'at once' },
    'without it is at once',
  )
})

t.test('a callback is the raw response, with what there is to say of it', async (t) => {
  const form = ['-H', 'Content-Type: application/x-www-form-urlencoded']
  const { headers } = await curl(
    `${url}/function/echo/async`,
    '-d',
    'a=b',
    ...form,
    ...CALLBACK,
    '-H',
    `X-Request-ID: ${REQUEST_ID}`,
  )
  t.equal(headers['x-request-id'], REQUEST_ID)
  const told = await callbacks.got('a=b')
  t.match(told, { method: 'POST', path: '/done?x=1' })
  const { 'x-duration-seconds': duration, ...rest } = withoutOurs(told)
  t.strictSame(rest, {
    'content-type': 'application/x-www-form-urlencoded',
    'x-request-id': REQUEST_ID,
    'x-serverless-status': '200',
    'x-serverless-id': 'echo',
  })
  t.match(duration, SECONDS)

  await curl(`${url}/function/failing/async`, '-d', 'in vain', ...CALLBACK)
  t.equal((await callbacks.got('in vain')).headers['x-serverless-status'], '404', 'the status of the call')
  await curl(`${url}/function/gone/async`, '-d', 'nobody there', ...CALLBACK)
  t.match((await callbacks.got('')).headers, { 'x-serverless-status': '503', 'x-serverless-id': 'gone' })
})

t.test('X-Request-Id is whatever a client calls it, and nothing that stands for something', async (t) => {
  const id = '{status} {{id}} %0d%0a <x>'
  const { headers } = await curl(`${url}/function/echo/async`, '-d', 'odd id', ...CALLBACK, '-H', `X-Request-Id: ${id}`)
  t.equal(headers['x-request-id'], id)
  t.equal((await fn.got('odd id')).headers['x-request-id'], id)
  t.equal((await callbacks.got('odd id')).headers['x-request-id'], id)

  const key = ['-d', 'one of two', '-H', 'Idempotency-Key: k1']
  const [first, again] = [
    await curl(`${url}/function/echo/async`, ...key),
    await curl(`${url}/function/echo/async`, ...key),
  ]
  t.match([first.status, again.status, first.headers['x-request-id']], [202, 202, UUID])
  t.equal(again.headers['x-request-id'], first.headers['x-request-id'], 'what came before keeps its id')
})

t.test('a callback may be another function', async (t) => {
  for (const [form, path] of [
    ['next', '/next'],
    ['next/async', '/next'],
    ['next/async/?d=e', '/next?d=e'],
    ['/function/next/x/async', '/next/x'],
    ['/function/next/x?d=e', '/next/x?d=e'],
    ['function://next/x', '/next/x'],
  ] as const) {
    const body = `handed on to ${form}`
    t.equal((await curl(`${url}/function/echo/async`, '-d', body, '-H', `X-Callback-Url: ${form}`)).status, 202, form)
    const first = await fn.got(body)
    const second = await fn.got(body, { nth: 2 })
    t.strictSame([first.path, second.path], ['/echo', path])
    const { 'x-duration-seconds': duration, ...rest } = withoutOurs(second)
    t.match(duration, SECONDS)
    t.strictSame(rest, {
      'content-type': 'application/x-www-form-urlencoded',
      'x-request-id': first.headers['x-request-id'],
      'x-serverless-status': '200',
      'x-serverless-id': 'echo',
    })
  }
  // What says nothing names nobody.
  t.equal((await curl(`${url}/function/echo/async`, '-d', 'x', '-H', 'X-Callback-Url;')).status, 202)
})

t.test('what cannot be taken is a problem', async (t) => {
  for (const [path, args, status, code] of [
    ['/function/nothing/async', ['-d', 'x'], 404, 'unknown-function'],
    ['/function/hidden/async', ['-X', 'GET'], 200, undefined],
    ['/function/echo/async', ['-d', 'x', '-H', 'X-Callback-Url: nothing'], 404, 'unknown-function'],
    ['/function/echo/async', ['-d', 'x', '-H', 'X-Callback-Url: function://hidden/'], 404, 'unknown-function'],
    ['/function/echo/async', ['-d', 'x', '-H', 'X-Callback-Url: ftp://a/b'], 400, 'invalid-url'],
    ['/function/echo/async', ['-d', 'x', '-H', 'X-Callback-Url: //a/b'], 400, 'invalid-url'],
    ['/function/echo/async', ['-d', 'x', '-H', 'X-Callback-Url: next/%2e%2e%2fb'], 400, 'invalid-url'],
    ['/function/echo/async', ['-d', 'x', '-H', 'X-Callback-Url: http://10.0.0.1/'], 422, 'target-refused'],
    ['/function/echo/async', ['-d', 'x', '-H', `X-Request-Id: ${'x'.repeat(257)}`], 400, 'invalid-field'],
    ['/function/small/async', ['-d', 'more than ten'], 413, 'too-large'],
    ['/function/echo/async', ['--head'], 405, undefined],
    ['/function/echo/async', ['-X', 'OPTIONS'], 405, 'method-not-allowed'],
  ] as const) {
    const answer = await curl(url + path, ...args)
    t.equal(answer.status, status, `${path} ${args}`)
    if (code === undefined) continue
    t.equal(answer.headers['content-type'], 'application/problem+json')
    t.match(JSON.parse(answer.body), { code, status, detail: /./ })
  }
})

t.test('what docs/front-doors.md shows of it is true', async (t) => {
  runBlocks(t, 'Boltic', url, ['sh', 'sh'], { receiverUrl: callbacks.url })
})
