import { decodeCall, type ErrorCode, PosthasteError } from '@posthaste/core'
import t, { type Test } from 'tap'
import type { Problem } from '../src/index.js'
import { JSON_TYPE, Notebook, openStreams, post, readCalls, signal, startAccepter, TARGET } from './setting.js'

interface Wrong {
  readonly what: string
  readonly body?: string | Uint8Array | object
  readonly headers?: Record<string, string>
  readonly status?: number
  readonly code: ErrorCode
  readonly pointer?: string
}

const NESTED = `{"target": "${TARGET}", "body": ${'['.repeat(999)}${']'.repeat(999)}}`

const wrong: Wrong[] = [
  { what: 'not JSON', body: 'target=http://a', code: 'not-json' },
  { what: 'half JSON', body: '{"target":', code: 'not-json' },
  { what: 'two documents', body: '{} {}', code: 'not-json' },
  { what: 'an empty body', body: '', code: 'not-json' },
  { what: 'bytes that are not UTF-8', body: Buffer.from(`{"target": "${TARGET}\xe9"}`, 'latin1'), code: 'not-json' },
  { what: 'null', body: 'null', code: 'invalid-field', pointer: '' },
  { what: 'a list', body: '[]', code: 'invalid-field', pointer: '' },
  { what: 'a string', body: '"http://a"', code: 'invalid-field', pointer: '' },
  { what: 'no field', body: {}, code: 'missing-field', pointer: '/target' },
  { what: 'an unknown field', body: { target: TARGET, traget: 1 }, code: 'unknown-field', pointer: '/traget' },
  { what: '__proto__', body: `{"target": "${TARGET}", "__proto__": {}}`, code: 'unknown-field', pointer: '/__proto__' },
  { what: 'a wrong type', body: { target: 5 }, code: 'invalid-field', pointer: '/target' },
  { what: 'a relative URL', body: { target: '/a' }, code: 'invalid-url', pointer: '/target' },
  { what: 'a file URL', body: { target: 'file:///etc/passwd' }, code: 'invalid-url', pointer: '/target' },
  { what: 'a password', body: { target: 'http://a:b@c/' }, code: 'invalid-url', pointer: '/target' },
  { what: 'a bad forward', body: { target: TARGET, forwardTo: 'a' }, code: 'invalid-url', pointer: '/forwardTo' },
  { what: 'a bad method', body: { target: TARGET, method: 'get' }, code: 'invalid-method', pointer: '/method' },
  { what: 'CONNECT', body: { target: TARGET, method: 'CONNECT' }, code: 'invalid-method', pointer: '/method' },
  {
    what: 'a header with a line break',
    body: { target: TARGET, headers: { a: 'b\r\nc: d' } },
    code: 'invalid-header',
    pointer: '/headers/a',
  },
  {
    what: 'a header of ours',
    body: { target: TARGET, headers: { 'Posthaste-Id': 'a' } },
    code: 'forbidden-header',
    pointer: '/headers/Posthaste-Id',
  },
  {
    what: 'a header of the connection',
    body: { target: TARGET, headers: { host: 'a' } },
    code: 'forbidden-header',
    pointer: '/headers/host',
  },
  { what: 'a bad duration', body: { target: TARGET, delay: '1 day' }, code: 'invalid-duration', pointer: '/delay' },
  { what: 'a time-out of 0', body: { target: TARGET, timeout: '0s' }, code: 'invalid-duration', pointer: '/timeout' },
  { what: 'a bad time', body: { target: TARGET, notBefore: 'soon' }, code: 'invalid-time', pointer: '/notBefore' },
  {
    what: 'a time too far ahead',
    body: { target: TARGET, notBefore: '2999-01-01T00:00:00Z' },
    code: 'invalid-time',
    pointer: '/notBefore',
  },
  {
    what: 'what expires before its time',
    body: { target: TARGET, delay: '2s', expiresIn: '1s' },
    code: 'invalid-time',
    pointer: '/expiresIn',
  },
  {
    what: 'a time and a delay',
    body: { target: TARGET, notBefore: '2026-01-01T00:00:00Z', delay: '1s' },
    code: 'conflicting-fields',
    pointer: '/delay',
  },
  {
    what: 'a body that is not base64',
    body: { target: TARGET, body: '*', bodyEncoding: 'base64' },
    code: 'invalid-body',
    pointer: '/body',
  },
  {
    what: 'an encoding without a body',
    body: { target: TARGET, bodyEncoding: 'json' },
    code: 'missing-field',
    pointer: '/bodyEncoding',
  },
  {
    what: 'too many attempts',
    body: { target: TARGET, retry: { maxAttempts: 101 } },
    code: 'invalid-field',
    pointer: '/retry/maxAttempts',
  },
  { what: 'a form', headers: { 'content-type': 'application/x-www-form-urlencoded' }, code: 'unsupported-media-type' },
  { what: 'text', headers: { 'content-type': 'text/plain' }, code: 'unsupported-media-type' },
  { what: 'a type that is none', headers: { 'content-type': 'json' }, code: 'unsupported-media-type' },
  { what: 'an empty type', headers: { 'content-type': '' }, code: 'unsupported-media-type' },
  { what: 'a type like ours', headers: { 'content-type': 'application/jsonp' }, code: 'unsupported-media-type' },
  {
    what: 'a body that makes too large a record',
    body: { target: TARGET, body: 'a'.repeat(16_384) },
    code: 'too-large',
  },
  { what: 'a body too large to read', body: { target: TARGET, body: 'a'.repeat(200_000) }, code: 'too-large' },
  { what: 'a depth that is no number', headers: { 'posthaste-depth': 'deep' }, code: 'bad-request' },
  { what: 'no depth', headers: { 'posthaste-depth': '' }, code: 'bad-request' },
  { what: 'a depth below 0', headers: { 'posthaste-depth': '-1' }, code: 'bad-request' },
  { what: 'half a depth', headers: { 'posthaste-depth': '0.5' }, code: 'bad-request' },
  { what: 'a depth in another notation', headers: { 'posthaste-depth': '0x1' }, code: 'bad-request' },
  { what: 'two depths', headers: { 'posthaste-depth': '1, 2' }, code: 'bad-request' },
  { what: 'a depth at the limit', headers: { 'posthaste-depth': '8' }, code: 'depth-exceeded' },
  { what: 'a depth far beyond it', headers: { 'posthaste-depth': '9'.repeat(400) }, code: 'depth-exceeded' },
]

const STATUS: Partial<Record<ErrorCode, number>> = {
  'too-large': 413,
  'unsupported-media-type': 415,
  'depth-exceeded': 422,
}

t.test('what is wrong with a request is said by status, code and pointer, and nothing is appended', async (t) => {
  const notebook = new Notebook()
  const { url } = await startAccepter(t, { invocations: notebook })
  for (const { what, body, headers, code, pointer } of wrong) {
    const response = await post(url, body, headers)
    const problem = await problemIn(t, response, what)
    t.equal(response.status, STATUS[code] ?? 400, `${what}: the status`)
    t.equal(problem.code, code, `${what}: the code`)
    t.equal(problem.errors?.[0]?.pointer, pointer, `${what}: the pointer`)
    if (pointer !== undefined) t.equal(problem.errors?.[0]?.code, code, `${what}: the code of the field`)
    t.notOk(
      response.headers.has('location') || response.headers.has('retry-after'),
      `${what}: nothing to come back for`,
    )
  }
  t.equal(notebook.appends.length, 0)
})

t.test('no content type is a wrong one', async (t) => {
  const { url } = await startAccepter(t)
  for (const body of [undefined, new Blob(['{}'])]) {
    const response = await fetch(`${url}/invocations`, { method: 'POST', ...(body && { body }) })
    t.equal(response.status, 415)
    t.equal((await problemIn(t, response)).code, 'unsupported-media-type')
  }
})

t.test('every wrong field is named, the first 20 at the most', async (t) => {
  const { url } = await startAccepter(t)
  const two = await problemIn(t, await post(url, { target: 'a', delay: 'b' }))
  t.strictSame(
    two.errors?.map(({ pointer }) => pointer),
    ['/target', '/delay'],
  )
  const unknown = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`field${index}`, 1]))
  t.equal((await problemIn(t, await post(url, { target: TARGET, ...unknown }))).errors?.length, 20)
})

t.test('a problem quotes the client, and is JSON all the same', async (t) => {
  const { url } = await startAccepter(t)
  const problem = await problemIn(t, await post(url, `{"target": "${TARGET}", "</script>\\u0000\\ud800": 1}`))
  t.equal(problem.errors?.[0]?.code, 'unknown-field')
})

t.test('a body may be nested deeply', async (t) => {
  const { url } = await startAccepter(t)
  t.equal((await post(url, NESTED)).status, 202)
})

t.test('what was accepted is on the stream at the time of the answer', async (t) => {
  const { stream, other } = await openStreams(t)
  const { url } = await startAccepter(t, {
    invocations: { recordBytesMax: 16_384, append: (log, records) => stream.append(log, records) },
  })
  const response = await post(
    url,
    {
      target: 'https://example.com/resize?a=1',
      method: 'PUT',
      headers: { 'X-A': '1', 'x-b': ['1', '2'] },
      query: { size: 'l' },
      body: Buffer.from([0, 10, 255]).toString('base64'),
      bodyEncoding: 'base64',
      forwardTo: 'https://example.com/done',
      correlationId: 'order-42',
      delay: '10m',
      timeout: '5s',
      expiresIn: '1h',
      retry: { maxAttempts: 3, jitter: 'none' },
    },
    { 'content-type': 'application/json; charset=utf-8', 'posthaste-depth': '2' },
  )
  const [record, ...more] = await readCalls(other)
  const receipt = (await response.json()) as Record<string, string>

  t.equal(response.status, 202)
  t.match(response.headers.get('content-type'), /^application\/json/)
  t.match(receipt.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.equal(response.headers.get('location'), `/invocations/${receipt.id}`)
  t.strictSame(Object.keys(receipt), ['id', 'state', 'correlationId', 'notBefore'])
  t.match(receipt, { state: 'scheduled', correlationId: 'order-42' })

  t.equal(more.length, 0)
  if (!record) return t.fail('there is no record')
  t.equal(record.key, receipt.id)
  const { call, settled } = decodeCall(record.value, record)
  t.ok(settled)
  t.equal(call.notBeforeMs, Date.parse(receipt.notBefore as string))
  t.equal(call.notBeforeMs, call.acceptedAtMs + 600_000)
  t.equal(call.expiresAtMs, call.acceptedAtMs + 3_600_000)
  t.strictSame([...call.body], [0, 10, 255])
  t.match(call, {
    id: receipt.id,
    generation: 1,
    attempt: 1,
    depth: 3,
    target: 'https://example.com/resize?a=1&size=l',
    method: 'PUT',
    headers: { 'x-a': '1', 'x-b': ['1', '2'], 'content-type': 'application/octet-stream' },
    forwardTo: 'https://example.com/done',
    correlationId: 'order-42',
    timeoutMs: 5_000,
    retry: { maxAttempts: 3, jitter: 'none' },
  })
})

t.test('the receipt of a call for now has an id and a state', async (t) => {
  const { url } = await startAccepter(t)
  t.strictSame(Object.keys((await (await post(url)).json()) as object), ['id', 'state'])
  const past = (await (await post(url, { target: TARGET, notBefore: '2020-01-01T00:00:00Z' })).json()) as object
  t.match(past, { state: 'queued', notBefore: '2020-01-01T00:00:00.000Z' })
})

t.test('one instruction is one append of one record, deferred or not', async (t) => {
  const notebook = new Notebook()
  const { url } = await startAccepter(t, { invocations: notebook })
  const instructions = Array.from({ length: 50 }, (_, index) => ({ target: TARGET, ...(index % 2 && { delay: '1h' }) }))
  const receipts = await Promise.all(instructions.map(async (instruction) => (await post(url, instruction)).json()))
  t.strictSame(
    notebook.appends.map((records) => records.length),
    instructions.map(() => 1),
  )
  const ids = receipts.map((receipt) => (receipt as { id: string }).id)
  t.strictSame(notebook.appends.map(([record]) => record?.key).sort(), ids.sort())
  t.equal(new Set(ids).size, 50)
})

t.test('the answer waits for the append', async (t) => {
  const began = signal()
  const appended = signal()
  const append = (): Promise<void> => {
    began.give()
    return appended.given
  }
  const { url } = await startAccepter(t, { invocations: { recordBytesMax: 1_024, append } })
  let answered = false
  const response = post(url).then((response) => {
    answered = true
    return response
  })
  await began.given
  // What did not wait would be answered before what is asked after it.
  for (let count = 0; count < 3; count += 1) await (await fetch(`${url}/livez`)).text()
  t.notOk(answered)
  appended.give()
  t.equal((await response).status, 202)
})

t.test('a record may have as many bytes as the limit says, and not one more', async (t) => {
  const notebook = new Notebook()
  const { url } = await startAccepter(t, { invocations: notebook })
  await post(url, { target: TARGET, body: '' })
  const around = notebook.appends[0]?.[0]?.value.length as number
  // bodyBytes then has five digits instead of one.
  const most = notebook.recordBytesMax - around - 4
  t.equal((await post(url, { target: TARGET, body: 'a'.repeat(most) })).status, 202)
  t.equal(notebook.appends[1]?.[0]?.value.length, notebook.recordBytesMax)
  t.equal((await post(url, { target: TARGET, body: 'a'.repeat(most + 1) })).status, 413)
  // As JSON text the same bytes may be six times as many.
  const escaped = `{"target": "${TARGET}", "body": "${'\\u0061'.repeat(15_000)}"}`
  t.equal((await post(url, escaped)).status, 202)
})

t.test('what the stream refuses is a 503 with Retry-After, and says why', async (t) => {
  let failure: unknown
  const { url } = await startAccepter(t, {
    invocations: { recordBytesMax: 1_024, append: () => Promise.reject(failure) },
  })
  const codes = { 'stream-unavailable': '1', 'stream-full': '30', overloaded: '1', stopping: '1' } as const
  for (const code of Object.keys(codes) as (keyof typeof codes)[]) {
    failure = new PosthasteError(code, 'That is why.')
    const response = await post(url)
    t.equal(response.status, 503, code)
    t.equal(response.headers.get('retry-after'), codes[code], code)
    t.match(await problemIn(t, response), { code, detail: 'That is why.' })
  }
})

t.test('an append that does not end is a 503', async (t) => {
  const { url } = await startAccepter(t, {
    invocations: { recordBytesMax: 1_024, append: () => new Promise(() => {}), timeoutMs: 50 },
  })
  const response = await post(url)
  t.equal(response.status, 503)
  t.equal(response.headers.get('retry-after'), '1')
  const problem = await problemIn(t, response)
  t.equal(problem.code, 'stream-unavailable')
  t.match(problem.detail, 'it may have what was sent all the same')
})

t.test('an append that fails after its time ends nothing', async (t) => {
  const late = signal()
  const append = async (): Promise<void> => {
    await late.given
    throw new Error('late')
  }
  const { url } = await startAccepter(t, { invocations: { recordBytesMax: 1_024, timeoutMs: 20, append } })
  t.equal((await post(url)).status, 503)
  // A rejection that nobody takes ends the process before it answers anything else.
  late.give()
  t.equal((await fetch(`${url}/livez`)).status, 200)
})

t.test('what is our fault says nothing of the inside, but the log does', async (t) => {
  const logged: object[] = []
  const failures: unknown[] = [
    new Error('secret inside'),
    new PosthasteError('invalid-configuration', 'secret inside'),
    new PosthasteError('internal', 'secret inside'),
    'secret inside',
    undefined,
  ]
  const { url } = await startAccepter(t, {
    log: { debug() {}, info() {}, warn() {}, error: (fields) => void logged.push(fields) },
    invocations: { recordBytesMax: 1_024, append: () => Promise.reject(failures[logged.length]) },
  })
  for (const [index, failure] of failures.entries()) {
    const response = await post(url, undefined, { authorization: 'secret outside' })
    const text = await response.clone().text()
    t.equal(response.status, 500)
    t.equal((await problemIn(t, response)).code, 'internal')
    t.notMatch(text, /secret|stack|\.js/)
    t.strictSame(logged[index], { err: failure, method: 'POST', path: '/invocations' })
  }
})

t.test('an accepter without a door to the stream has no such path', async (t) => {
  const { url } = await startAccepter(t, { invocations: undefined as never })
  const response = await fetch(`${url}/invocations`, { method: 'POST', headers: JSON_TYPE, body: '{}' })
  t.equal(response.status, 404)
  t.equal((await problemIn(t, response)).code, 'not-found')
})

async function problemIn(t: Test, response: Response, what = 'the problem'): Promise<Problem> {
  t.equal(response.headers.get('content-type'), 'application/problem+json', `${what}: the content type`)
  const problem = (await response.json()) as Problem
  t.equal(problem.status, response.status, `${what}: the status in it`)
  t.equal(problem.type, `urn:posthaste:error:${problem.code}`, `${what}: its type`)
  t.ok(problem.title.length > 0 && problem.detail.length > 0, `${what}: says what it is`)
  return problem
}
