import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { AlibabaClient, type TaskPage, version2Client } from './harness/alibaba-clients.js'
import { runBlocks } from './harness/doc-blocks.js'
import { createEmbedded } from './harness/embedded-installation.js'
import { FunctionProcess } from './harness/function-process.js'
import { FunctionsFile } from './harness/functions-file.js'
import { PosthasteProcess } from './harness/posthaste-process.js'

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/
const LATER = { xFcInvocationType: 'Async', commonHeaders: { 'x-fc-async-delay': '3600' } }

const fn = await FunctionProcess.start(t)
const { dataDir } = createEmbedded(t)
const functions = new FunctionsFile(
  t,
  `functions:
  resize: { url: ${fn.url}/resize, routes: [/orders] }
  shop.resize: { url: ${fn.url}/shop }
  paged: { url: ${fn.url}/paged }
  listed: { url: ${fn.url}/listed }
  again: { url: ${fn.url}/again, onSuccess: "function://again/done" }
  slow: { url: ${fn.url}/wait/600000 }
  failing: { url: ${fn.url}/status/500, retry: { maxAttempts: 2, initialDelay: 1ms } }
  away: { url: "http://127.0.0.1:1" }
  small: { url: ${fn.url}/small, limits: { bodyBytes: 10 } }
  hidden: { url: ${fn.url}/hidden, doors: [aws] }
`,
).path
let posthaste = await PosthasteProcess.start({ role: 'start', dataDir, settings: { functions } })
t.teardown(() => posthaste.stop())

const client = new AlibabaClient(posthaste.url)
const client2 = version2Client(posthaste.url)

const idsOf = ({ tasks }: TaskPage): (string | undefined)[] => tasks.map(({ taskId }) => taskId)

t.test('SDK: an invocation is synchronous unless it says otherwise', async (t) => {
  const answer = await client.invoke('resize', '{"now":1}')
  t.match(answer, { status: 200, body: '{"now":1}', headers: { 'content-type': 'application/octet-stream' } })
  t.match(answer.headers['x-fc-request-id'], ID)
  t.notOk(answer.headers['x-fc-error-type'])
  const came = await fn.got('{"now":1}')
  t.match(came, { method: 'POST', path: '/resize' })
  t.match(came.headers, {
    'content-type': 'application/octet-stream',
    'x-fc-request-id': answer.headers['x-fc-request-id'],
    'x-fc-function-name': 'resize',
    'x-fc-control-path': '/invoke',
  })
  const others = Object.keys(came.headers).filter((name) => /^(x-acs-|authorization)/.test(name))
  t.strictSame(others, [], 'what is between client and system the function does not get')

  const failed = await client.invoke('failing', 'no')
  t.match(failed, { status: 200, body: 'no', headers: { 'x-fc-error-type': 'UnhandledInvocationError' } })
  const away = await client.invoke('away', 'no')
  t.match(away, { status: 200, headers: { 'x-fc-error-type': 'UnhandledInvocationError' } })
  t.match(JSON.parse(away.body), { errorMessage: /cannot be reached/ })
})

t.test('SDK: an asynchronous one is a task, and its id stands for one only', async (t) => {
  const headers = { xFcInvocationType: 'Async', xFcAsyncTaskId: 'job-1' }
  const bodies = Array.from({ length: 50 }, (_, index) => `later ${1 + (index % 2)}`)
  const answers = await Promise.allSettled(bodies.map((body) => client.invoke('resize', body, headers)))
  const [accepted, ...more] = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  t.strictSame(more, [], 'of fifty at a time one is taken')
  t.match(accepted, { status: 202, body: '', headers: { 'x-fc-request-id': ID } })
  for (const answer of answers)
    if (answer.status === 'rejected') t.match(answer.reason, { statusCode: 409, code: 'AsyncTaskAlreadyExists' })

  const task = await client.until('resize', 'job-1', 'Succeeded')
  t.match(task, {
    ...{ taskId: 'job-1', requestId: accepted?.headers['x-fc-request-id'], functionArn: /functions\/resize$/ },
    ...{ qualifier: 'LATEST', alreadyRetriedTimes: 0, taskPayload: /^later [12]$/ },
    ...{ destinationStatus: 'Succeeded', returnPayload: task.taskPayload, startedTime: Number, endTime: Number },
    events: [{ eventId: 1, status: 'Enqueued' }, { status: 'Running' }, { eventId: 3, status: 'Succeeded' }],
  })
  const times = [task.startedTime, task.endTime, task.durationMs, ...(task.events ?? []).map((one) => one.timestamp)]
  t.ok(times.every(Number.isInteger), `${times}`)
  const [came, ...again] = fn.arrivals.filter(({ body }) => body.startsWith('later '))
  t.match(came, { method: 'POST', path: '/resize', body: task.taskPayload })
  t.equal(came?.headers['x-fc-request-id'], task.requestId)
  t.strictSame(again, [])
  await t.rejects(
    client.invoke('resize', 'later 3', headers),
    { code: 'AsyncTaskAlreadyExists' },
    'also when it has ended',
  )
  t.equal((await client.invoke('listed', 'later 3', headers)).status, 202, 'of another function it is another one')
  await t.rejects(client.stop('resize', 'job-1'), { statusCode: 412, code: 'AsyncTaskAlreadyCompleted' })

  const unnamed = await client.invoke('resize', 'unnamed', { xFcInvocationType: 'Async' })
  const requestId = unnamed.headers['x-fc-request-id'] as string
  t.match(await client.until('resize', requestId, 'Succeeded'), { taskId: requestId, requestId })
  const keyed = { xFcInvocationType: 'Async', commonHeaders: { 'idempotency-key': 'one' } }
  const [one, two] = [await client.invoke('resize', 'keyed', keyed), await client.invoke('resize', 'keyed', keyed)]
  t.equal(one.headers['x-fc-request-id'], two.headers['x-fc-request-id'])
  await t.rejects(client.invoke('resize', 'keyed otherwise', keyed), { statusCode: 400, code: 'InvalidArgument' })
})

t.test('SDK: a task is found by its id, whatever else of its function has that too', async (t) => {
  const { headers } = await client.invoke('again', 'first', { xFcInvocationType: 'Async', xFcAsyncTaskId: 'same' })
  await fetch(`${posthaste.url}/async-function/again`, {
    method: 'POST',
    headers: { 'x-call-id': 'same' },
    body: 'other',
  })
  await fn.found('what both give rise to', ({ path }) => path === '/again/done', 2)
  const requestId = headers['x-fc-request-id']
  t.match(await client.until('again', 'same', 'Succeeded'), { requestId, taskPayload: 'first', returnPayload: 'first' })
  await client.until('again', (await fn.got('other')).headers['posthaste-id'] ?? '')
  const { tasks } = await client.list('again', { prefix: 'same' })
  t.equal(tasks.length, 2, 'what came of them has the ids of their own requests')
})

t.test('SDK: a task waits for its time, and can be stopped', async (t) => {
  await client.invoke('resize', 'never', { ...LATER, xFcAsyncTaskId: 'waits' })
  const waits = await client.until('resize', 'waits')
  t.match(waits, { status: 'Enqueued', taskPayload: 'never' })
  const { requestId = '' } = waits
  const shown = (await (await fetch(`${posthaste.url}/invocations/${requestId}`)).json()) as Record<string, unknown>
  t.match(shown, {
    ...{ target: 'function://resize', state: 'scheduled', correlationId: 'waits' },
    instruction: { retry: { maxAttempts: 4, maxAge: '1d' } },
  })
  const { notBefore } = shown.instruction as { notBefore: string }
  t.equal(Date.parse(notBefore) - Date.parse(shown.createdAt as string), 3_600_000)
  t.equal(await client.stop('resize', 'waits'), 200)
  t.match(await client.until('resize', 'waits', 'Stopped'), { events: [{ status: 'Enqueued' }, { status: 'Stopped' }] })
  t.strictSame(fn.with('never'), [])
  await client.invoke('slow', 'cut short', { xFcInvocationType: 'Async', xFcAsyncTaskId: 'runs' })
  await fn.got('cut short')
  await client.until('slow', 'runs')
  t.equal(await client.stop('slow', 'runs'), 200)
  t.match(await client.until('slow', 'runs', 'Stopped'), { events: [{}, { status: 'Running' }, { status: 'Stopped' }] })
})

t.test('SDK: a task that fails has been tried again', async (t) => {
  await client.invoke('failing', 'fails', { xFcInvocationType: 'Async', xFcAsyncTaskId: 'fails' })
  t.match(await client.until('failing', 'fails', 'Failed'), {
    ...{ alreadyRetriedTimes: 1, taskErrorMessage: /500/, taskPayload: 'fails', returnPayload: 'fails' },
    events: ['Enqueued', 'Running', 'Retrying', 'Running', 'Failed'].map((status) => ({ status })),
  })
  t.equal(fn.with('fails').length, 2)
})

t.test('SDK: tasks are listed by all that they can be looked for by', async (t) => {
  const before = Date.now()
  for (const id of ['a-1', 'a-2', 'b-1'])
    await client.invoke('listed', `payload of ${id}`, { ...LATER, xFcAsyncTaskId: id })
  await client.until('listed', 'b-1')
  await client.stop('listed', 'b-1')
  await client.until('listed', 'b-1', 'Stopped')
  const [a1, a2, b1] = await Promise.all(['a-1', 'a-2', 'b-1'].map((id) => client.until('listed', id)))
  const range = { startedTimeBegin: before }
  t.strictSame(idsOf(await client.list('listed', range)), ['b-1', 'a-2', 'a-1'], 'newest first')
  t.strictSame(idsOf(await client.list('listed', { ...range, sortOrderByTime: 'asc' })), ['a-1', 'a-2', 'b-1'])
  t.strictSame(idsOf(await client.list('listed', { prefix: 'a-', qualifier: 'prod' })), ['a-2', 'a-1'])
  t.strictSame(idsOf(await client.list('listed', { ...range, status: 'Enqueued' })), ['a-2', 'a-1'])
  t.strictSame(idsOf(await client.list('listed', { ...range, status: 'Stopped' })), ['b-1'])
  for (const status of ['Dequeued', 'Running', 'Failed', 'Stopping', 'Stopped', 'Expired', 'Invalid', 'Retrying'])
    t.strictSame(idsOf(await client.list('listed', { prefix: 'a-', status })), [], status)
  const between = { startedTimeBegin: a1?.startedTime, startedTimeEnd: a2?.startedTime }
  t.strictSame(idsOf(await client.list('listed', { ...between, prefix: 'a' })), ['a-2', 'a-1'], 'with both ends')
  t.strictSame(idsOf(await client.list('listed', { startedTimeBegin: (b1?.startedTime ?? 0) + 1 })), [])
  t.strictSame(
    (await client.list('listed', { prefix: 'a-', includePayload: true })).tasks.map(({ taskPayload }) => taskPayload),
    ['payload of a-2', 'payload of a-1'],
  )
  t.notOk((await client.list('listed', { prefix: 'a-' })).tasks.some(({ taskPayload }) => taskPayload !== undefined))
  for (const sortOrderByTime of ['asc', 'desc']) {
    const pages: (string | undefined)[][] = []
    for (let nextToken: string | undefined, more = true; more; more = nextToken !== undefined) {
      const page = await client.list('listed', { ...range, limit: 2, sortOrderByTime, ...(nextToken && { nextToken }) })
      pages.push(idsOf(page))
      nextToken = page.nextToken
    }
    t.strictSame(pages, sortOrderByTime === 'asc' ? [['a-1', 'a-2'], ['b-1']] : [['b-1', 'a-2'], ['a-1']])
  }
})

t.test('SDK: a list loses and repeats nothing while more comes', async (t) => {
  const come = async (id: string): Promise<void> => {
    await client.invoke('paged', id, { ...LATER, xFcAsyncTaskId: id })
    await client.until('paged', id)
  }
  for (const id of ['p-1', 'p-2', 'p-3']) await come(id)
  for (const [sortOrderByTime, more, found] of [
    ['asc', ['p-4', 'p-5'], ['p-1', 'p-2', 'p-3', 'p-4', 'p-5']],
    ['desc', ['p-6', 'p-7'], ['p-5', 'p-4', 'p-3', 'p-2', 'p-1']],
  ] as const) {
    const [ids, coming]: string[][] = [[], [...more]]
    let nextToken: string | undefined
    do {
      const page = await client.list('paged', { limit: 1, sortOrderByTime, ...(nextToken && { nextToken }) })
      ids?.push(...(idsOf(page) as string[]))
      nextToken = page.nextToken
      for (const id of coming?.splice(0) ?? []) await come(id)
    } while (nextToken !== undefined)
    t.strictSame(ids, found)
  }
})

t.test('SDK of version 2: a function is found by its service, and else by its name', async (t) => {
  const now = await client2.invokeFunction('shop', 'resize', 'v2 now', {}, 'prod')
  t.match(now, { data: 'v2 now', headers: { 'x-fc-request-id': ID } })
  t.equal((await fn.got('v2 now')).path, '/shop')
  await client2.invokeFunction('other', 'resize', 'v2 other')
  t.equal((await fn.got('v2 other')).path, '/resize')

  const headers = { 'x-fc-invocation-type': 'Async', 'x-fc-stateful-async-invocation-id': 'v2-1' }
  const later = await client2.invokeFunction('shop', 'resize', 'v2 later', headers)
  t.match(later.headers, { 'x-fc-request-id': ID })
  await t.rejects(client2.invokeFunction('shop', 'resize', 'v2 later', headers), {
    name: 'FCStatefulAsyncInvocationAlreadyExistsError',
    message: /409/,
  })
  await fn.got('v2 later')
  await client.until('shop.resize', 'v2-1')
  t.strictSame(fn.with('v2 later').length, 1)
  const path = '/services/shop/functions/resize/stateful-async-invocations'
  const names = { invocationId: 'v2-1', serviceName: 'shop', functionName: 'resize' }
  t.match((await client2.get(`${path}/v2-1`)).data, { ...names, invocationPayload: 'v2 later' })
  t.match((await client2.get(path, { invocationIdPrefix: 'v2' })).data, { invocations: [names] })
  t.match((await client2.get(path, { invocationIdPrefix: 'v3' })).data, { invocations: [] })
  await client2.invokeFunction('shop', 'resize', 'v2 never', {
    ...{ ...headers, 'x-fc-async-delay': '3600', 'x-fc-stateful-async-invocation-id': 'v2-2' },
  })
  await client.until('shop.resize', 'v2-2')
  t.strictSame((await client2.put(`${path}/v2-2`)).data, {})
  await t.rejects(client2.get(`${path}/nothing`), { code: 'StatefulAsyncInvocationNotFound' })
  await t.rejects(client2.invokeFunction('shop', 'nothing', 'x'), {
    code: 'FunctionNotFound',
    message: /404.*requestid: \w/,
  })

  const trigger = await client2.post('/proxy/shop.prod/resize/a/b', 'v2 trigger', {}, { c: 'd' })
  t.match(trigger, { data: 'v2 trigger', headers: { 'x-from': 'function', 'x-fc-request-id': ID } })
  t.equal((await fn.got('v2 trigger')).path, '/shop/a/b?c=d')
})

t.test('HTTP triggers: any method, path and query, and the function gets the request as it is', async (t) => {
  const headers = { 'x-mine': 'yes', 'content-type': 'text/csv', 'x-fc-trace-id': 't', 'x-fc-log-type': 'Tail' }
  for (const [type, status] of Object.entries({ Sync: 200, Async: 202 })) {
    const answer = await fetch(`${posthaste.url}/orders/7?x=1`, {
      ...{ method: 'PUT', body: `trigger ${type}` },
      headers: { ...headers, 'X-Fc-Invocation-Type': type },
    })
    t.equal(answer.status, status)
    const requestId = answer.headers.get('x-fc-request-id')
    t.match(requestId, ID)
    t.equal(answer.headers.get('x-from'), type === 'Sync' ? 'function' : null)
    t.equal(await answer.text(), type === 'Sync' ? 'trigger Sync' : '')
    const came = await fn.got(`trigger ${type}`)
    t.match(came, { method: 'PUT', path: '/resize/7?x=1', headers: { 'x-mine': 'yes', 'content-type': 'text/csv' } })
    const told = Object.entries(came.headers).filter(([name]) => name.startsWith('x-fc-'))
    t.strictSame(Object.fromEntries(told), {
      ...{ 'x-fc-request-id': requestId, 'x-fc-function-name': 'resize', 'x-fc-control-path': '/http-invoke' },
    })
  }
})

t.test('errors are in the form of the system', async (t) => {
  const V3 = '/2023-03-30/functions'
  const POST = (headers: object = {}, body = 'x') => ({
    method: 'POST',
    headers: headers as Record<string, string>,
    body,
  })
  const async = { 'x-fc-invocation-type': 'Async' }
  for (const [path, init, status, code] of [
    [`${V3}/nothing/invocations`, POST(), 404, 'FunctionNotFound'],
    [`${V3}/hidden/invocations`, POST(), 404, 'FunctionNotFound'],
    [`${V3}/nothing/async-tasks`, {}, 404, 'FunctionNotFound'],
    [`${V3}/resize/async-tasks/nothing`, {}, 404, 'AsyncTaskNotFound'],
    [`${V3}/resize/async-tasks/nothing/stop`, { method: 'PUT' }, 404, 'AsyncTaskNotFound'],
    [
      '/2021-04-06/services/s/functions/resize/stateful-async-invocations/nothing',
      {},
      404,
      'StatefulAsyncInvocationNotFound',
    ],
    [`${V3}/resize/invocations`, POST({ 'x-fc-invocation-type': 'Later' }), 400, 'InvalidArgument'],
    ['/orders', POST({ 'x-fc-invocation-type': 'Later' }), 400, 'InvalidArgument'],
    ...['', '1', '-a', 'a.b', 'a'.repeat(129)].map(
      (id) =>
        [`${V3}/resize/invocations`, POST({ ...async, 'x-fc-async-task-id': id }), 400, 'InvalidArgument'] as const,
    ),
    ...['', '-1', '3601', 'soon', '1.5'].map(
      (delay) =>
        [`${V3}/resize/invocations`, POST({ ...async, 'x-fc-async-delay': delay }), 400, 'InvalidArgument'] as const,
    ),
    ...[
      'limit=0',
      'limit=101',
      'status=Waiting',
      'sortOrderByTime=up',
      'startedTimeBegin=now',
      'nextToken=x',
      'includePayload=1',
    ].map((query) => [`${V3}/resize/async-tasks?${query}`, {}, 400, 'InvalidArgument'] as const),
    [`${V3}/small/invocations`, POST(async, 'x'.repeat(11)), 400, 'EntityTooLarge'],
    ['/function/small', POST(async, 'x'.repeat(11)), 400, 'EntityTooLarge'],
    [`${V3}/resize/invocations`, {}, 400, 'PathNotSupported'],
    ['/orders', POST({ ...async, 'posthaste-depth': '99' }), 400, 'InvalidArgument'],
    [`${V3}/resize`, { method: 'DELETE' }, 400, 'PathNotSupported'],
    [V3, {}, 400, 'PathNotSupported'],
  ] as const) {
    const answer = await fetch(posthaste.url + path, init)
    const body = (await answer.json()) as Record<string, string>
    t.strictSame([answer.status, body.Code], [status, code], `${path} ${JSON.stringify(init)}`)
    t.strictSame(Object.keys(body), ['RequestId', 'Code', 'Message'])
    t.equal(answer.headers.get('x-fc-request-id'), body.RequestId)
    t.equal(answer.headers.get('content-type'), 'application/json')
    t.ok(body.Message)
  }
  const first = await fetch(`${posthaste.url}/2016-08-15/services/s/functions/nothing/invocations`, POST())
  t.match([first.status, await first.json()], [404, { ErrorCode: 'FunctionNotFound', ErrorMessage: /nothing/ }])
})

t.test('what docs/front-doors.md shows of it is true', async (t) => {
  runBlocks(t, 'Alibaba Function Compute', posthaste.url, ['sh', 'js', 'sh'])
})

t.test('SDKs: after a restart, with access keys, at a prefix: an id is taken still, for its own tenant', async (t) => {
  const [own, other] = ['own', 'other'].map((name) => ({ id: `LTAI${name}`, secret: `a-secret-of-${name}-tenant` }))
  const entry = { scopes: ['invoke', 'read', 'control'] }
  const tokens = join(dataDir, 'tokens.json')
  const holders = [
    { ...entry, name: 'own', accessKeys: [own] },
    { ...entry, name: 'other', tenant: 'other', accessKeys: [other] },
  ]
  writeFileSync(tokens, JSON.stringify({ tokens: holders }))
  await posthaste.stop()
  posthaste = await PosthasteProcess.start({
    ...{ role: 'start', dataDir },
    settings: { functions, tokens, doors: 'alibaba=/fc' },
  })
  const [mine, theirs] = [own, other].map((key) => new AlibabaClient(`${posthaste.url}/fc`, key)) as [
    AlibabaClient,
    AlibabaClient,
  ]
  const job = { xFcInvocationType: 'Async', xFcAsyncTaskId: 'job-1' }
  await t.rejects(mine.invoke('resize', 'mine', job), { statusCode: 409, code: 'AsyncTaskAlreadyExists' })
  await mine.until('resize', 'job-1', 'Succeeded')
  const { requestId = '' } = await mine.until('resize', 'waits')
  for (const id of ['job-1', 'waits', requestId]) {
    await t.rejects(theirs.get('resize', id), { statusCode: 404, code: 'AsyncTaskNotFound' })
    await t.rejects(theirs.stop('resize', id), { statusCode: 404, code: 'AsyncTaskNotFound' })
  }
  t.strictSame(idsOf(await theirs.list('resize')), [])
  t.equal((await theirs.invoke('resize', 'theirs', job)).status, 202)
  await fn.got('theirs')
  t.strictSame(fn.with('mine'), [])
  const two = version2Client(`${posthaste.url}/fc`, own)
  t.match(await two.invokeFunction('shop', 'resize', 'signed'), { data: 'signed' })
  t.match(await two.post('/proxy/shop/resize/a b', 'blank', { 'x-fc-a': 'b  c' }, { c: 'd e' }), { data: 'blank' })
})
