import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { ask } from './api-client.js'
import { answered, Listener, startOne, startTwo } from './installation.js'
import { post, startAccepter, TARGET } from './setting.js'

t.test('what was accepted is shown, by the accepter that took it and by any other', async (t) => {
  const [first, second] = await startTwo(t)
  const instruction = {
    target: `${TARGET}a?b=c`,
    method: 'PUT',
    headers: { 'x-a': ['1', '2'] },
    body: 'hello',
    forwardTo: 'https://hooks.example.com/done',
    correlationId: 'order-42',
    delay: '10m',
    timeout: '30s',
    expiresIn: '2h',
    onFailure: { url: 'https://b.example/bad', format: 'cloudevents' },
    retry: {
      ...{ maxAttempts: 3, initialDelay: '1s', factor: 2, maxDelay: '90s', jitter: 'none' },
      ...{ maxAge: '2h', statuses: ['5xx'], errors: ['timeout'] },
    },
  }
  const receipt = (await ask(first.url, 'createInvocation', { body: instruction })).json
  for (const { url } of [second, first]) {
    const { headers, json, status } = await ask(url, 'getInvocation', { id: receipt.id })
    t.equal(status, 200)
    t.equal(headers.get('content-type'), 'application/json; charset=utf-8')
    t.equal(headers.get('cache-control'), 'no-cache')
    t.match(json, {
      id: receipt.id,
      state: 'scheduled',
      generation: 1,
      attemptsMade: 0,
      target: instruction.target,
      method: 'PUT',
      correlationId: 'order-42',
      nextAttemptAt: receipt.notBefore,
      instruction: {
        headers: { 'x-a': ['1', '2'] },
        bodyBytes: 5,
        forwardTo: instruction.forwardTo,
        onFailure: instruction.onFailure,
        notBefore: receipt.notBefore,
        timeout: '30s',
        retry: instruction.retry,
      },
      attempts: [],
    })
    t.equal(Date.parse(json.instruction.expiresAt), Date.parse(json.createdAt) + 7_200_000)
  }
})

t.test('attempts, the response and the end are shown as they come', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json
  const call = await listener.callOf(view, id)
  const failure = { code: 'status', detail: 'The target answered 503.' } as const
  await listener.tell(call, { state: 'retrying', failure, nextAttemptAtMs: Date.now() + 60_000 }, answered(503, 'no'))
  await view.until(() => view.get(id)?.state === 'retrying' || undefined, 10_000)
  const retrying = (await ask(url, 'getInvocation', { id })).json
  t.match(retrying, { state: 'retrying', attemptsMade: 1, attemptsAnswered: 1, failure, response: { status: 503 } })
  t.ok(Date.parse(retrying.nextAttemptAt) > Date.now())

  const waiting = ask(url, 'getInvocation', { id, query: { wait: '30s' } })
  await listener.succeed({ ...call, attempt: 2, answered: 1 })
  const { json } = await waiting
  t.match(json, {
    state: 'succeeded',
    attemptsMade: 2,
    attemptsAnswered: 2,
    attempts: [
      { generation: 1, attempt: 1, durationMs: 12.5, status: 503, failure, listener: 'http://listener' },
      { generation: 1, attempt: 2, answered: 1, status: 200 },
    ],
    response: { status: 200, headers: { 'x-target': 'yes' }, bodyBytes: 4, bodyKept: true },
  })
  t.ok(Date.parse(json.endedAt) >= Date.parse(json.createdAt))
  t.notOk('nextAttemptAt' in json || 'pendingChange' in json)
})

t.test('an ETag names what is shown, until that changes', async (t) => {
  const { stream, url, view } = await startOne(t)
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json
  const first = await ask(url, 'getInvocation', { id })
  const tag = first.headers.get('etag') as string
  t.match(tag, /^"[\w-]{22}"$/)
  for (const known of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
    const again = await ask(url, 'getInvocation', { id, headers: { 'if-none-match': known } })
    t.equal(again.status, 304, known)
    t.equal(again.text, '')
    t.equal(again.headers.get('etag'), tag)
  }
  const head = await fetch(`${url}/invocations/${id}`, { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(head.headers.get('etag'), tag)
  t.equal(Number(head.headers.get('content-length')), Buffer.byteLength(first.text))
  const listener = new Listener(stream)
  await listener.succeed(await listener.callOf(view, id))
  const ended = await ask(url, 'getInvocation', { id, query: { wait: '30s' }, headers: { 'if-none-match': tag } })
  t.equal(ended.status, 200)
  t.not(ended.headers.get('etag'), tag)
})

t.test('who waits gets what is known when the time is over, or when the process stops', async (t) => {
  const { stop, url, view } = await startOne(t)
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json
  const startedMs = performance.now()
  t.equal((await ask(url, 'getInvocation', { id, query: { wait: '200ms' } })).json.state, 'queued')
  t.ok(performance.now() - startedMs >= 199)
  const waiting = ask(url, 'getInvocation', { id, query: { wait: '60s' } })
  while (view.waits === 0) await turn()
  const stopped = stop()
  const { headers, json, status } = await waiting
  t.equal(status, 200)
  t.equal(json.state, 'queued')
  t.equal(headers.get('connection'), 'close')
  await stopped
})

t.test('so many may wait, and one more is answered at once; who goes away leaves his place', async (t) => {
  const { stream, url, view } = await startOne(t, { waitingMax: 4 })
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json
  await ask(url, 'getInvocation', { id })
  const gone = new AbortController()
  const wait = (signal?: AbortSignal) =>
    ask(url, 'getInvocation', { id, query: { wait: '60s' }, ...(signal && { signal }) })
  const leaving = wait(gone.signal).catch(() => 'gone')
  const staying = wait()
  while (view.waits < 2) await turn()
  t.equal((await wait()).json.state, 'queued')
  gone.abort()
  t.equal(await leaving, 'gone')
  while (view.waits > 1) await turn()
  const next = wait()
  while (view.waits < 2) await turn()
  const listener = new Listener(stream)
  await listener.succeed(await listener.callOf(view, id))
  for (const each of [staying, next]) t.equal((await each).json.state, 'succeeded')
})

t.test('what there is not is a 404, and at once if nobody can have taken it just now', async (t) => {
  const { url, view } = await startOne(t)
  await view.until(() => view.asOfMs() > 0 || undefined, 10_000)
  const old = '01890000-0000-7000-8000-000000000000'
  view.held.add('calls')
  for (const id of [
    old,
    'batch',
    'other:producer~1',
    'a'.repeat(128),
    'a%20b',
    '%00',
    '-',
    'a'.repeat(200),
    'a'.repeat(500),
  ]) {
    for (const name of ['getInvocation', 'getResponse', 'cancelInvocation', 'redriveInvocation'] as const) {
      const { json, status } = await ask(url, name, { id })
      t.equal(status, 404, `${name} ${id}`)
      t.equal(json.code, 'not-found')
    }
    t.equal((await ask(url, 'moveInvocation', { id, body: { delay: '1s' } })).status, 404)
  }
})

t.test('what a view that is far behind does not show may be there', async (t) => {
  const { url, view } = await startOne(t)
  await view.until(() => view.asOfMs() > 0 || undefined, 10_000)
  const halfAnHour = idOf(Date.now() - 1_800_000)
  const codeOf = async (id: string): Promise<string> => (await ask(url, 'getInvocation', { id })).json.code
  view.lagMs = 3_600_000
  t.equal(await codeOf(halfAnHour), 'view-behind')
  t.equal(await codeOf(idOf(Date.now() - 7_200_000)), 'not-found')
  view.lagMs = Number.POSITIVE_INFINITY
  t.strictSame(await Promise.all([halfAnHour, 'other:1'].map(codeOf)), ['view-behind', 'view-behind'])
  view.lagMs = 0
  t.strictSame(await Promise.all([halfAnHour, 'other:1'].map(codeOf)), ['not-found', 'not-found'])
})

t.test('a young id that is not shown is waited for until the view is up to date, and no longer', async (t) => {
  const [first, second] = await startTwo(t)
  t.equal((await ask(first.url, 'getInvocation', { id: idOf(Date.now()) })).json.code, 'not-found')

  second.view.held.add('calls')
  const { id } = (await ask(first.url, 'createInvocation', { body: { target: TARGET } })).json
  const behind = await ask(second.url, 'getInvocation', { id })
  t.equal(behind.status, 503, 'it may be there: a 404 would be a lie')
  t.equal(behind.json.code, 'view-behind')
  t.equal(behind.headers.get('retry-after'), '1')
  const waiting = ask(second.url, 'getInvocation', { id })
  second.view.release()
  t.equal((await waiting).status, 200)
})

t.test('a response is returned as it came, and does nothing in a browser', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json
  const early = await ask(url, 'getResponse', { id })
  t.equal(early.status, 404)
  t.equal(early.json.code, 'no-response')
  t.notOk(early.headers.has('posthaste-status'))

  await listener.succeed(await listener.callOf(view, id), '<script>alert(1)</script>')
  await ask(url, 'getInvocation', { id, query: { wait: '30s' } })
  const { headers, status, text } = await ask(url, 'getResponse', { id })
  t.equal(status, 200)
  t.equal(text, '<script>alert(1)</script>')
  t.equal(headers.get('content-type'), 'text/html; charset=utf-8')
  t.equal(headers.get('posthaste-id'), id)
  t.equal(headers.get('posthaste-status'), '200')
  t.equal(headers.get('content-disposition'), 'attachment')
  t.equal(headers.get('x-content-type-options'), 'nosniff')
  t.match(headers.get('content-security-policy'), /sandbox/)
  t.notOk(headers.has('x-target'))
  const head = await fetch(`${url}/invocations/${id}/response`, { method: 'HEAD' })
  t.equal(head.headers.get('content-length'), String(text.length))
})

t.test('a response that was too large to keep says how large it was', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json
  await listener.succeed(await listener.callOf(view, id), 'x', 5_000_000)
  const { json } = await ask(url, 'getInvocation', { id, query: { wait: '30s' } })
  t.match(json.response, { bodyBytes: 5_000_000, bodyKept: false })
  const { headers, json: problem, status } = await ask(url, 'getResponse', { id })
  t.equal(status, 404)
  t.match(problem, { code: 'no-response', detail: /5000000 bytes/ })
  t.equal(headers.get('posthaste-truncated'), '5000000')
  t.equal(headers.get('posthaste-status'), '200')
})

t.test('each path takes its methods and says which', async (t) => {
  const { url } = await startOne(t)
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json
  const paths = {
    '/invocations': 'GET, HEAD, POST',
    [`/invocations/${id}`]: 'GET, HEAD, DELETE, PATCH',
    '/invocations/none': 'GET, HEAD, DELETE, PATCH',
    [`/invocations/${id}/response`]: 'GET, HEAD',
    [`/invocations/${id}/redrive`]: 'POST',
    '/redrive': 'POST',
    '/cancel': 'POST',
    '/stats': 'GET, HEAD',
    '/openapi.json': 'GET, HEAD',
  }
  for (const [path, allow] of Object.entries(paths)) {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      if (allow.split(', ').includes(method)) continue
      const response = await fetch(url + path, { method })
      t.equal(response.status, 405, `${method} ${path}`)
      t.strictSame(response.headers.get('allow')?.split(', ').sort(), allow.split(', ').sort(), `${method} ${path}`)
    }
  }
  t.equal((await fetch(`${url}/invocations/${id}/other`)).status, 404)
})

t.test('a query that is not understood is refused', async (t) => {
  const { url } = await startOne(t)
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json
  const wrong: Record<string, string>[] = [
    { wait: '61s' },
    { wait: '' },
    { wait: '5' },
    { waits: '1s' },
    { constructor: '' },
  ]
  for (const query of wrong) {
    const { json, status } = await ask(url, 'getInvocation', { id, query })
    t.equal(status, 400, JSON.stringify(query))
    t.equal(json.code, 'invalid-query')
  }
  t.equal((await fetch(`${url}/invocations/${id}?wait=1s&wait=1s`)).status, 400)
})

t.test('without a view nothing is shown, and there is no answer to a key', async (t) => {
  const { url } = await startAccepter(t)
  t.equal((await fetch(`${url}/invocations/a`)).status, 404)
  t.equal((await fetch(`${url}/stats`)).status, 404)
  t.equal((await fetch(`${url}/invocations`)).status, 405)
  const response = await post(url, undefined, { 'idempotency-key': 'a' })
  t.equal(response.status, 503)
})

/** Of an invocation of that time, which is not there. */
function idOf(ms: number): string {
  const time = ms.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`
}
