import { EgressPolicy, functionMapOf, INVOCATION_STATES, type Invocation, type NamedFunction } from '@posthaste/core'
import t from 'tap'
import { STATES, statusOf, taskOf } from '../src/doors/alibaba/task.js'
import { bearer, credentialsOf, holderOf } from './callers.js'
import { functionOf, startDoors, startFunction } from './door-setting.js'
import { Notebook, startAccepter } from './setting.js'

const resize: NamedFunction = { name: 'resize', url: 'http://10.0.0.1/', acceptStatus: 202, headers: {}, routes: [] }
const map = functionMapOf([resize])
const doors = { functions: () => map, doors: [{ name: 'alibaba', prefix: '/fc' }] }
const egress = new EgressPolicy({}, () => map)
const INVOCATIONS = '/fc/2023-03-30/functions/resize/invocations'
const async = { 'x-fc-invocation-type': 'Async' }

function invocationOf(more: Partial<Invocation>): Invocation {
  return { id: 'a', state: 'queued', generation: 1, createdAtMs: 1_000, attempts: [], ...more }
}

t.test('each state has a status, under which it is found', async (t) => {
  for (const state of INVOCATION_STATES) {
    const status = statusOf(invocationOf({ state }))
    t.ok((STATES[status] as readonly string[]).includes(state), `${state}: ${status}`)
  }
  const cancelled = { kind: 'cancel', isDone: false } as const
  for (const state of STATES.Stopping) t.equal(statusOf(invocationOf({ state, directive: cancelled })), 'Stopping')
  t.equal(statusOf(invocationOf({ state: 'queued', directive: { ...cancelled, isDone: true } })), 'Enqueued')
  t.equal(statusOf(invocationOf({ state: 'succeeded', directive: cancelled })), 'Succeeded')
  t.equal(statusOf(invocationOf({ state: 'queued', directive: { ...cancelled, kind: 'move' } })), 'Enqueued')
  const failure = { code: 'unknown-function', detail: 'gone' } as const
  t.equal(statusOf(invocationOf({ state: 'failed', failure })), 'Invalid')
  t.equal(statusOf(invocationOf({ state: 'retrying', failure })), 'Retrying')
})

t.test('a task that was redriven shows all that happened, and counts the tries of its last generation', async (t) => {
  const failure = { code: 'status', detail: 'It answered 500.' } as const
  const attempt = (generation: number, number: number, startedAtMs: number) =>
    ({ generation, attempt: number, startedAtMs, durationMs: 10.4, status: 500, failure }) as const
  const attempts = [attempt(1, 1, 2_000), attempt(1, 2, 3_000), attempt(2, 1, 4_000)]
  const task = taskOf(invocationOf({ state: 'retrying', generation: 2, attempts, failure }), {})
  t.match(task, {
    ...{ status: 'Retrying', alreadyRetriedTimes: 0, durationMs: 10, endTime: undefined },
    events: [1_000, 2_000, 2_010, 3_000, 3_010, 4_000, 4_010].map((timestamp) => ({ timestamp })),
  })
  const begun = taskOf(invocationOf({ generation: 3, attempts }), {})
  t.match(begun, { status: 'Enqueued', alreadyRetriedTimes: 0 })
})

t.test('what a function answers at once is 200, whatever it says, and of its length', async (t) => {
  const target = await startFunction(t, async (request, response) => {
    const status = Buffer.concat(await request.toArray()).toString()
    if (request.method === 'HEAD') response.writeHead(200, { 'content-length': '10' }).end()
    else response.writeHead(Number(status), { 'x-fc-status': status === '202' ? '500' : '200' }).end()
  })
  const { url } = await startDoors(t, [functionOf(target), functionOf(target, { name: 'head', method: 'HEAD' })])
  for (const [name, status, type] of [
    ['resize', '204', null],
    ['resize', '202', 'UnhandledInvocationError'],
    ['resize', '304', 'UnhandledInvocationError'],
    ['head', '200', null],
  ] as const) {
    const answer = await fetch(url + INVOCATIONS.slice(3).replace('resize', name), { method: 'POST', body: status })
    t.strictSame([answer.status, await answer.text()], [200, ''], status)
    t.equal(answer.headers.get('x-fc-error-type'), type)
  }
})

t.test('whoever may not is told so as the system does', async (t) => {
  const invoker = holderOf({ scopes: ['invoke'], functions: ['other'] })
  const reader = holderOf({ scopes: ['read'] })
  const credentials = credentialsOf([invoker.holder, reader.holder])
  const { url } = await startAccepter(t, { invocations: new Notebook(), egress, doors, credentials })
  for (const [headers, status, code] of [
    [{}, 400, 'MissingRequiredHeader'],
    [bearer('ph_nobody'), 403, 'InvalidAccessKeyID'],
    [bearer(reader.token), 403, 'AccessDenied'],
    [bearer(invoker.token), 403, 'AccessDenied'],
  ] as const) {
    const answer = await fetch(url + INVOCATIONS, { method: 'POST', headers: { ...async, ...headers }, body: 'x' })
    const body = (await answer.json()) as Record<string, string>
    t.strictSame([answer.status, body.Code, Object.keys(body)], [status, code, ['RequestId', 'Code', 'Message']])
  }
})

t.test(
  'without a view calls are taken, but no tasks with ids of their own, for those could be there twice',
  async (t) => {
    const notebook = new Notebook()
    const { url } = await startAccepter(t, { invocations: notebook, egress, doors })
    const post = (headers: Record<string, string>) =>
      fetch(url + INVOCATIONS, { method: 'POST', headers: { ...async, ...headers }, body: 'x' })
    t.equal((await post({})).status, 202)
    const refused = await post({ 'x-fc-async-task-id': 'a' })
    t.match([refused.status, await refused.json()], [503, { Code: 'ServiceUnavailable' }])
    const tasks = await fetch(`${url}/fc/2023-03-30/functions/resize/async-tasks`)
    t.match([tasks.status, await tasks.json()], [503, { Code: 'ServiceUnavailable' }])
    t.equal(notebook.appends.length, 1)
    t.equal((await fetch(url + INVOCATIONS.slice(3), { method: 'POST' })).status, 404, 'the prefix counts')
  },
)
