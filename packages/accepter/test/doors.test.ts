import type { IncomingMessage } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import t from 'tap'
import { functionOf, startDoors, startFunction } from './door-setting.js'

t.test('the URL of a function calls it at once, and passes on what comes as it comes', async (t) => {
  const seen: {
    method: string | undefined
    url: string | undefined
    headers: IncomingMessage['headers']
    body: string
  }[] = []
  const target = await startFunction(t, async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { headers, method, url } = request
    seen.push({ method, url, headers, body })
    response.writeHead(418, {
      'x-answer': 'yes',
      'set-cookie': ['a=1', 'b=2'],
      connection: 'keep-alive, x-gone',
      'x-gone': '1',
    })
    response.end(`got ${body}`)
  })
  const fn = functionOf(`${target}/base?key=1`, { headers: { 'x-secret': 's3cret' }, routes: ['/square'] })
  const { calls, url } = await startDoors(t, [fn])
  const answer = await fetch(`${url}/function/resize/a%20b/c?x=1&y=2`, {
    method: 'PUT',
    headers: { 'x-secret': 'mine', 'x-mine': 'm', 'posthaste-id': 'forged', 'content-type': 'text/csv' },
    body: 'some body',
  })
  t.equal(answer.status, 418)
  t.equal(await answer.text(), 'got some body')
  t.equal(answer.headers.get('x-answer'), 'yes')
  t.strictSame(answer.headers.getSetCookie(), ['a=1', 'b=2'])
  const [first] = seen
  t.equal(first?.method, 'PUT')
  t.equal(first?.url, '/base/a%20b/c?key=1&x=1&y=2')
  t.equal(first?.body, 'some body')
  t.match(first?.headers, {
    'x-secret': 's3cret',
    'x-mine': 'm',
    'content-type': 'text/csv',
    host: new URL(target).host,
  })
  t.notOk(first?.headers['posthaste-id'])
  t.equal((await fetch(`${url}/square/2`)).status, 418)
  t.equal(seen[1]?.url, '/base/2?key=1')
  t.equal((await fetch(`${url}/function/resize/../../../etc`)).status, 404, 'of no function')
  t.equal((await fetch(`${url}/function/nothing`)).status, 404)
  t.strictSame(calls(), [], 'nothing is stored')
})

t.test('an answer streams', async (t) => {
  let finish = () => {}
  const target = await startFunction(t, (_, response) => {
    response.write('first')
    finish = () => response.end('last')
  })
  const { url } = await startDoors(t, [functionOf(target)])
  const answer = await fetch(`${url}/function/resize`)
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
  t.equal(Buffer.from((await reader.read()).value as Uint8Array).toString(), 'first')
  finish()
  t.equal(Buffer.from((await reader.read()).value as Uint8Array).toString(), 'last')
})

t.test('a function that does not answer is 502 or 504, and where it is, is not said', async (t) => {
  const silent = await startFunction(t, () => {})
  const broken = await startFunction(t, (request) => request.socket.destroy())
  const mute = createTcpServer((socket) => t.teardown(() => socket.destroy()))
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  t.teardown(() => mute.close())
  const told: object[] = []
  const log = { debug() {}, info() {}, error() {}, warn: (line: object) => void told.push(line) }
  const functions = [
    functionOf(silent, { syncTimeoutMs: 200 }),
    functionOf(`https://127.0.0.1:${(mute.address() as AddressInfo).port}`, { name: 'mute', syncTimeoutMs: 200 }),
    functionOf(broken, { name: 'broken' }),
    functionOf('http://127.0.0.1:1', { name: 'away' }),
  ]
  const { url } = await startDoors(t, functions, { log })
  for (const [name, status, code] of [
    ['resize', 504, 'function-timeout'],
    ['mute', 504, 'function-timeout'],
    ['broken', 502, 'function-failed'],
    ['away', 502, 'function-failed'],
  ]) {
    const answer = await fetch(`${url}/function/${name}`, { method: 'POST', body: 'x' })
    const problem = (await answer.json()) as { code: string; detail: string }
    t.equal(answer.status, status, `${name}`)
    t.equal(problem.code, code)
    t.notMatch(problem.detail, /127/)
  }
  await (await fetch(`${url}/function/away`)).text()
  const lines = [
    { where: 'function resize', code: 'function-timeout' },
    { where: 'function mute', code: 'function-timeout' },
    { where: 'function broken', code: 'function-failed' },
    { where: 'function away', code: 'function-failed', reason: /ECONNREFUSED 127/ },
  ]
  t.match(told, lines, 'the log says it, and once')
  t.equal(told.length, lines.length)
})

t.test('Prefer: respond-async', async (t) => {
  const { calls, url } = await startDoors(t, [functionOf('http://10.0.0.1/x', { retry: { maxAttempts: 3 } })])
  const answer = await fetch(`${url}/function/resize/a?b=c`, {
    method: 'PATCH',
    headers: { prefer: 'handling=lenient, Respond-Async; x=1', 'x-mine': 'm', 'content-type': 'text/csv' },
    body: 'some body',
  })
  t.equal(answer.status, 202)
  t.equal(answer.headers.get('preference-applied'), 'respond-async')
  const [call] = calls()
  t.equal(answer.headers.get('location'), `/invocations/${call?.id}`)
  t.match(call, {
    target: 'function://resize/a?b=c',
    method: 'PATCH',
    headers: { 'x-mine': 'm', 'content-type': 'text/csv' },
  })
  t.notOk(call?.headers.prefer)
  t.equal(Buffer.from(call?.body as Uint8Array).toString(), 'some body')
})

t.test('raw: all that an instruction can say stands in the URL or in headers', async (t) => {
  const { calls, url } = await startDoors(t, [functionOf('http://10.0.0.1/x')])
  const to = encodeURIComponent('https://api.example.com/a?b=c')
  const answer = await fetch(
    `${url}/call?to=${to}&delay=10m&method=PUT&retry.maxAttempts=3&retry.statuses=503,5xx&onFailure=https://b.example.com/&onFailure.format=cloudevents&header.X-A=1&header.x-a=2&query.d=e%20f&forwardTo=https://c.example.com/&forwardTo.header.X-Id={id}&forwardTo.passHeaders=true`,
    {
      method: 'POST',
      headers: {
        'posthaste-correlation-id': 'order-42',
        'posthaste-retry-max-delay': '1m',
        'content-type': 'text/csv',
      },
      body: 'a;b',
    },
  )
  t.equal(answer.status, 202, await answer.clone().text())
  t.match(calls()[0], {
    target: 'https://api.example.com/a?b=c&d=e%20f',
    method: 'PUT',
    headers: { 'x-a': ['1', '2'], 'content-type': 'text/csv' },
    correlationId: 'order-42',
    retry: { maxAttempts: 3, maxDelayMs: 60_000, statuses: ['503', '5xx'] },
    onFailure: { url: 'https://b.example.com/', format: 'cloudevents' },
    forwardTo: 'https://c.example.com/',
    forwardWith: { headers: { 'x-id': '{id}' }, passHeaders: true },
  })
  t.equal((await fetch(`${url}/call/https://api.example.com/x?delay=y`, { method: 'POST' })).status, 202)
  t.equal(calls()[1]?.target, 'https://api.example.com/x?delay=y')
  t.equal((await fetch(`${url}/call?to=function://resize/q`, { method: 'POST' })).status, 202)
  t.equal(calls()[2]?.target, 'function://resize/q')
  for (const [path, code] of [
    ['/call', 'missing-field'],
    ['/call?to=x', 'invalid-url'],
    [`/call?to=${to}&delya=1s`, 'unknown-field'],
    [`/call?to=${to}&retry.maxAttempts=many`, 'invalid-field'],
    [`/call?to=${to}&delay=1s&delay=2s`, 'conflicting-fields'],
    [`/call?to=${to}&function=resize`, 'conflicting-fields'],
    [`/call?to=${to}&idempotencyKey=mend%0Aid`, 'invalid-key'],
    [`/call?to=${to}&idempotencyKey=`, 'invalid-key'],
    [`/call?to=${to}&idempotencyKey=a&idempotencyKey="b"`, 'conflicting-fields'],
    [`/call?to=${to}&forwardTo.passHeaders=yes`, 'invalid-field'],
    [`/call?to=${to}&header.Posthaste-Id=x`, 'forbidden-header'],
    [`/call?to=${to}&header.X-A=%0d%0ax-b:`, 'invalid-header'],
    [`/call?to=${to}&body=x`, 'unknown-field'],
    ['/call?to=http://10.0.0.1/', 'target-refused'],
    ['/call?to=function://nothing/', 'unknown-function'],
  ]) {
    const refused = await fetch(`${url}${path}`, { method: 'POST' })
    t.equal(((await refused.json()) as { code: string }).code, code as string, path as string)
  }
  t.equal((await fetch(`${url}/call`)).status, 405)
})

t.test('an instruction that says no method has that of its function, however it comes', async (t) => {
  const { calls, url } = await startDoors(t, [functionOf('http://10.0.0.1/fn', { method: 'PUT' })])
  const give = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    t.ok(answer.ok, `${path} ${await answer.text()}`)
  }
  const instruction = { function: 'resize' }
  await give('/invocations', instruction)
  await give('/invocations', { target: 'function://resize/a' })
  await give('/invocations/batch', { invocations: [instruction] })
  await give('/schedules', { cron: '0 9 * * *', instruction })
  await give('/call?to=function://resize', {})
  await give('/invocations', { ...instruction, method: 'PATCH' })
  await give('/invocations', { target: 'http://a.example/' })
  t.strictSame(
    calls().map(({ method }) => method),
    ['PUT', 'PUT', 'PUT', 'PUT', 'PUT', 'PATCH', 'POST'],
  )
})

t.test('what a function says of retries stays its own, and the door says the rest', async (t) => {
  const { calls, url } = await startDoors(t, [functionOf('http://10.0.0.1/fn', { retry: { maxAttempts: 2 } })])
  for (const [path, headers] of [
    ['/async-function/resize', {}],
    ['/2015-03-31/functions/resize/invocations', { 'x-amz-invocation-type': 'Event' }],
    ['/function/resize', { invocationtype: 'Event' }],
    ['/2023-03-30/functions/resize/invocations', { 'x-fc-invocation-type': 'Async' }],
  ] as const)
    t.equal((await fetch(url + path, { method: 'POST', headers: { ...headers } })).status, 202, path)
  const day = { maxAgeMs: 86_400_000 }
  const lambda = { initialDelayMs: 60_000, factor: 2, maxDelayMs: 120_000, jitter: 'none', maxAgeMs: 21_600_000 }
  const [openfaas, ...others] = calls().map(({ retry }) => retry)
  t.match(openfaas, { initialDelayMs: 10_000, maxAttempts: undefined })
  t.strictSame(others, [lambda, lambda, day])
})

t.test('what says of what type a body is may say anything', async (t) => {
  const types: (string | undefined)[] = []
  const target = await startFunction(t, ({ headers }, response) => {
    types.push(headers['content-type'])
    response.end()
  })
  const { calls, url } = await startDoors(t, [functionOf(target)])
  for (const type of ['json', '"a"', 'text/csv; a', 'text/plain']) {
    const asked = { method: 'POST', headers: { 'content-type': type }, body: 'x' }
    t.equal((await fetch(`${url}/function/resize`, asked)).status, 200, type)
    t.equal((await fetch(`${url}/call?to=function://resize`, asked)).status, 202, type)
    t.strictSame([types.at(-1), calls().at(-1)?.headers['content-type']], [type, type])
    t.equal(String(calls().at(-1)?.body), 'x')
  }
})

t.test('what is refused at a door is told by its code', async (t) => {
  const codes: string[] = []
  const { url } = await startDoors(t, [], { onRefused: (code) => codes.push(code) })
  await fetch(`${url}/call?to=function://nothing/`, { method: 'POST' })
  const { headers, status } = await fetch(`${url}/call`)
  t.strictSame([status, headers.get('allow')], [405, 'POST'])
  await fetch(`${url}/nothing`)
  t.strictSame(codes, ['unknown-function', 'method-not-allowed', 'not-found'])
})

t.test('what is no door is as before', async (t) => {
  const { url } = await startDoors(t, [])
  t.equal((await fetch(`${url}/nothing`)).status, 404)
  t.equal((await fetch(`${url}/invocations`, { method: 'PUT' })).status, 405)
  t.equal((await fetch(`${url}/livez`)).status, 200)
})
