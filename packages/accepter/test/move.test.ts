import type { LogName, NewRecord } from '@posthaste/stream'
import t from 'tap'
import { ask } from './api-client.js'
import { directiveOf, install, Listener, startOne, startTwo } from './installation.js'
import { JSON_TYPE, openStreams, RECORD_BYTES_MAX, TARGET } from './setting.js'

const body = { target: TARGET, delay: '10m', expiresIn: '3h' }

t.test('a move is answered once a listener has made it', async (t) => {
  const [first, second] = await startTwo(t)
  const { id } = (await ask(first.url, 'createInvocation', { body })).json
  const listener = new Listener(first.stream)
  const call = await listener.callOf(first.view, id)
  const notBefore = new Date(Date.now() + 3_600_000).toISOString()
  const moving = ask(second.url, 'moveInvocation', { id, body: { notBefore }, query: { wait: '30s' } })
  const directive = await directiveOf(first.view, id)
  t.match(directive, { kind: 'move', attempt: 1, dueMs: Date.parse(notBefore), isDone: false })
  t.ok(directive.record.length > 0)
  const pending = (await ask(first.url, 'getInvocation', { id })).json
  t.match(pending, { state: 'scheduled', pendingChange: { kind: 'move', notBefore } })
  await listener.move(call, directive)
  const { json, status } = await moving
  t.equal(status, 200)
  t.match(json, { id, state: 'scheduled' })
  t.notOk('pendingChange' in json)
  await first.view.until(() => first.view.get(id)?.nextAttemptAtMs === directive.dueMs || undefined, 10_000)
  t.equal((await ask(first.url, 'getInvocation', { id })).json.nextAttemptAt, notBefore)
})

t.test('a move that takes longer is told to be under way', async (t) => {
  const { url } = await startOne(t)
  const { id } = (await ask(url, 'createInvocation', { body })).json
  const { json, status } = await ask(url, 'moveInvocation', { id, body: { delay: '1h' }, query: { wait: '50ms' } })
  t.equal(status, 202)
  t.match(json, { id, state: 'moving', notBefore: /Z$/ })
})

t.test('nothing is moved by what was shown long ago', async (t) => {
  const { stream } = await openStreams(t)
  const append = (log: LogName, records: readonly NewRecord[]) => stream.append(log, records)
  const invocations = { recordBytesMax: RECORD_BYTES_MAX, timeoutMs: 2_000, append }
  const { url, view } = await install(t, stream, { invocations })
  const { id } = (await ask(url, 'createInvocation', { body })).json
  await ask(url, 'getInvocation', { id })
  view.lagMs = 60_000
  const move = () => ask(url, 'moveInvocation', { id, body: { delay: '1h' }, query: { wait: '0s' } })
  const behind = await move()
  t.equal(behind.status, 503)
  t.equal(behind.json.code, 'view-behind')
  t.equal(behind.headers.get('retry-after'), '1')
  t.equal((await ask(url, 'getInvocation', { id })).status, 200, 'it is shown all the same')
  let asked = 0
  for await (const { records } of stream.follow('control', 'start', { untilEnd: true })) asked += records.length
  t.equal(asked, 0)
  view.lagMs = 0
  t.equal((await move()).status, 202)
})

t.test('a cancellation of an earlier generation is no matter of a move', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const { id } = (await ask(url, 'createInvocation', { body })).json
  const call = await listener.callOf(view, id)
  await ask(url, 'cancelInvocation', { id, query: { wait: '0s' } })
  await directiveOf(view, id)
  await listener.fail(call)
  await ask(url, 'getInvocation', { id, query: { wait: '30s' } })
  await ask(url, 'redriveInvocation', { id })
  const redriven = await listener.callOf(view, id)
  const failure = { code: 'timeout', detail: 'Late.' } as const
  const nextAttemptAtMs = Date.now() + 3_600_000
  await listener.tell(redriven, { state: 'retrying', failure, nextAttemptAtMs })
  await view.until(() => view.get(id)?.state === 'retrying' || undefined, 10_000)
  const moving = ask(url, 'moveInvocation', { id, body: { delay: '2h' }, query: { wait: '30s' } })
  const directive = await view.until(
    () => (view.directive(id)?.kind === 'move' ? view.directive(id) : undefined),
    10_000,
  )
  if (!directive) return t.fail('no move was asked for')
  await listener.move({ ...redriven, attempt: 2 }, directive)
  t.equal((await moving).status, 200)
})

t.test('what waits for no time cannot be moved', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json
  const call = await listener.callOf(view, id)
  const move = () => ask(url, 'moveInvocation', { id, body: { delay: '1s' } })
  t.match((await move()).json, { code: 'not-movable', status: 409, detail: /queued/ })
  await listener.succeed(call)
  await ask(url, 'getInvocation', { id, query: { wait: '30s' } })
  t.match((await move()).json, { code: 'not-movable', detail: /succeeded/ })
})

t.test('what is called or ends meanwhile is a conflict', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const start = async () => {
    const { id } = (await ask(url, 'createInvocation', { body })).json
    const call = await listener.callOf(view, id)
    const moving = ask(url, 'moveInvocation', { id, body: { delay: '1h' }, query: { wait: '30s' } })
    return { call, moving, directive: await directiveOf(view, id) }
  }
  const ended = await start()
  await listener.succeed(ended.call)
  t.match((await ended.moving).json, { status: 409, code: 'not-movable' })
  const running = await start()
  await listener.tell(running.call, { state: 'running' })
  t.match((await running.moving).json, { status: 409, code: 'not-movable' })
  const late = await start()
  await listener.mark({ ...late.directive, isDone: true, tooLate: 0 })
  t.match((await late.moving).json, { status: 409, code: 'not-movable' })
})

t.test('what was moved to now, and ended at once, was moved', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const { id } = (await ask(url, 'createInvocation', { body })).json
  const call = await listener.callOf(view, id)
  const moving = ask(url, 'moveInvocation', { id, body: { delay: '0s' }, query: { wait: '30s' } })
  const directive = await directiveOf(view, id)
  // The end is seen before the mark, which stands in another log.
  view.held.add('control')
  await listener.mark({ ...directive, isDone: true })
  await listener.succeed({ ...call, move: directive.number })
  await view.until(() => view.get(id)?.state === 'succeeded' || undefined, 10_000)
  view.release()
  const { json, status } = await moving
  t.equal(status, 200)
  t.equal(json.state, 'succeeded')
})

t.test('of two moves the later one counts, and both are answered', async (t) => {
  const [first, second] = await startTwo(t)
  const { id } = (await ask(first.url, 'createInvocation', { body })).json
  const listener = new Listener(first.stream)
  const call = await listener.callOf(first.view, id)
  const one = ask(first.url, 'moveInvocation', { id, body: { delay: '20m' }, query: { wait: '30s' } })
  const earlier = await directiveOf(second.view, id)
  const two = ask(second.url, 'moveInvocation', { id, body: { delay: '30m' }, query: { wait: '30s' } })
  const later = await first.view.until(
    () => ((first.view.directive(id)?.number ?? 0) > earlier.number ? first.view.directive(id) : undefined),
    10_000,
  )
  if (!later) return t.fail('there is no later one')
  await listener.move(call, later)
  t.strictSame([(await one).status, (await two).status], [200, 200])
})

t.test('a retry cannot be moved beyond the age that it may have', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const retry = { maxAge: '1h' }
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET, delay: '2h', retry } })).json
  const call = await listener.callOf(view, id)
  const move = (delay: string) => ask(url, 'moveInvocation', { id, body: { delay }, query: { wait: '1ms' } })
  t.equal((await move('5h')).status, 202, 'before the first attempt it has no age')
  const sinceMs = Date.now()
  await listener.tell(call, { state: 'retrying', nextAttemptAtMs: sinceMs + 60_000, sinceMs })
  await view.until(() => view.get(id)?.state === 'retrying' || undefined, 10_000)
  const late = await move('1h')
  t.match(late.json, { status: 400, code: 'invalid-time', detail: /expires at/ })
  t.equal((await move('50m')).status, 202)
})

t.test('a time that is none, or too late, is refused', async (t) => {
  const { url } = await startOne(t)
  const { id } = (await ask(url, 'createInvocation', { body })).json
  const wrong: [object, string, string][] = [
    [{}, 'missing-field', '/notBefore'],
    [{ delay: '1s', notBefore: '2026-01-01T00:00:00Z' }, 'conflicting-fields', '/delay'],
    [{ delay: 'soon' }, 'invalid-duration', '/delay'],
    [{ notBefore: 'soon' }, 'invalid-time', '/notBefore'],
    [{ notBefore: '2999-01-01T00:00:00Z' }, 'invalid-time', '/notBefore'],
    [{ target: TARGET }, 'unknown-field', '/target'],
    [{ delay: '4h' }, 'invalid-time', '/notBefore'],
  ]
  for (const [change, code, pointer] of wrong) {
    const { json, status } = await ask(url, 'moveInvocation', { id, body: change })
    t.equal(status, 400, JSON.stringify(change))
    t.match(json, { code, errors: [{ pointer }] }, JSON.stringify(change))
  }
  const response = await fetch(`${url}/invocations/${id}`, { method: 'PATCH', headers: JSON_TYPE, body: 'no' })
  t.equal(response.status, 400)
  t.equal((await fetch(`${url}/invocations/${id}`, { method: 'PATCH' })).status, 415)
})
