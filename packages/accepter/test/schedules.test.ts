import {
  decideSteering,
  decideTick,
  decodeCall,
  encodeCall,
  firingId,
  nextTick,
  type TickCall,
  type TickSequel,
} from '@posthaste/core'
import t from 'tap'
import { ask } from './api-client.js'
import { directiveOf, type Installed, Listener, startOne, startTwo } from './installation.js'
import { RECORD_BYTES_MAX, readCalls, startAccepter, TARGET } from './setting.js'

const HOUR_MS = 3_600_000
const instruction = { target: TARGET, headers: { authorization: 'secret' }, body: { order: 42 }, expiresIn: '1h' }
const hourly = { every: '1h', instruction }

/** Writes to the logs what a listener would of a tick, and returns the next one. */
async function tell(one: Installed, tick: TickCall, { dueMs, tick: did }: TickSequel): Promise<TickCall> {
  const next = dueMs === undefined ? {} : { nextAttemptAtMs: dueMs }
  const state = dueMs === undefined ? 'succeeded' : 'retrying'
  await new Listener(one.stream).tell(tick, { state, tick: did, ...next, record: encodeCall(tick) })
  return nextTick(tick, did, dueMs ?? 0)
}

async function tickOf({ stream, view }: Installed, id: string): Promise<TickCall> {
  return (await new Listener(stream).callOf(view, id)) as TickCall
}

t.test('a schedule is the record of its first tick', async (t) => {
  const { stream, url } = await startOne(t)
  const beforeMs = Date.now()
  const { headers, json, status } = await ask(url, 'createSchedule', { body: hourly })
  t.equal(status, 201)
  t.equal(headers.get('location'), `/schedules/${json.id}`)
  const createdAtMs = Date.parse(json.createdAt)
  t.ok(createdAtMs >= beforeMs && createdAtMs <= Date.now())
  const times = [1, 2, 3, 4, 5].map((hour) => new Date(createdAtMs + hour * HOUR_MS).toISOString())
  t.strictSame(json, {
    ...{
      id: json.id,
      state: 'active',
      every: '1h',
      startAt: json.createdAt,
      missed: 'once',
      createdAt: json.createdAt,
    },
    nextRuns: times,
    instruction: {
      ...{ target: TARGET, method: 'POST', bodyBytes: 12, expiresIn: '1h' },
      headers: { authorization: '***', 'content-type': 'application/json' },
    },
  })
  const [record, ...others] = await readCalls(stream)
  t.equal(others.length, 0)
  if (!record) return
  t.equal(record.key, json.id)
  const { call } = decodeCall(record.value, record)
  t.match(call, { id: json.id, notBeforeMs: createdAtMs + HOUR_MS, schedule: { everyMs: HOUR_MS } })
  t.notOk('expiresAtMs' in call)
})

t.test('what is wrong is refused, and nothing is stored', async (t) => {
  const { stream, url } = await startOne(t)
  const wrong: [object, string, string][] = [
    [{ instruction }, 'missing-field', '/cron'],
    [{ cron: '0 25 * * *', instruction }, 'invalid-cron', '/cron'],
    [{ cron: '0 9 * * *', timeZone: 'Moon/Base', instruction }, 'invalid-cron', '/timeZone'],
    [{ every: '1ms', instruction }, 'invalid-duration', '/every'],
    [{ every: '1h', endAt: '2001-01-01T00:00:00Z', instruction }, 'invalid-time', '/endAt'],
    [{ every: '1h', instruction: { target: 'no' } }, 'invalid-url', '/instruction/target'],
    [{ every: '1h', instruction: { ...instruction, delay: '1s' } }, 'conflicting-fields', '/instruction/delay'],
    [{ every: '1h' }, 'missing-field', '/instruction'],
  ]
  for (const [body, code, pointer] of wrong) {
    const { json, status } = await ask(url, 'createSchedule', { body })
    t.equal(status, 400, pointer)
    t.match(json, { code, errors: [{ code, pointer }] }, pointer)
  }
  const large = { ...hourly, instruction: { target: TARGET, body: 'a'.repeat(RECORD_BYTES_MAX) } }
  t.equal((await ask(url, 'createSchedule', { body: large })).status, 413)
  const deep = await ask(url, 'createSchedule', { body: hourly, headers: { 'posthaste-depth': '8' } })
  t.equal(deep.json.code, 'depth-exceeded')
  t.strictSame(await readCalls(stream), [])
})

t.test('the same key is one schedule, on any accepter', async (t) => {
  const [first, second] = await startTwo(t)
  const headers = { 'idempotency-key': 'a' }
  const { json } = await ask(first.url, 'createSchedule', { body: hourly, headers })
  const again = await ask(second.url, 'createSchedule', { body: hourly, headers })
  t.equal(again.status, 201)
  t.equal(again.json.id, json.id)
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  t.equal((await ask(second.url, 'createInvocation', { body: { target: TARGET }, headers })).status, 422)
  t.equal((await readCalls(first.stream)).length, 1)
})

t.test('it is shown with what it called last, and as many of its times as are asked for', async (t) => {
  const one = await startOne(t)
  const { id, startAt } = (await ask(one.url, 'createSchedule', { body: hourly })).json
  const firstMs = Date.parse(startAt) + HOUR_MS
  const tick = await tickOf(one, id)
  await tell(one, tick, decideTick(tick.schedule, firstMs))
  await one.view.until(() => one.view.schedule(id)?.schedule.firedMs, 10_000)
  const { json } = await ask(one.url, 'getSchedule', { id, query: { runs: '2' } })
  t.match(json, { id, state: 'active', lastRun: { at: new Date(firstMs).toISOString(), id: firingId(id, firstMs) } })
  t.strictSame(
    json.nextRuns,
    [2, 3].map((hour) => new Date(Date.parse(startAt) + hour * HOUR_MS).toISOString()),
  )
  t.strictSame((await ask(one.url, 'getSchedule', { id, query: { runs: '0' } })).json.nextRuns, [])
  for (const runs of ['101', '-1', 'all'])
    t.equal((await ask(one.url, 'getSchedule', { id, query: { runs } })).json.code, 'invalid-query', runs)
  t.equal((await ask(one.url, 'getInvocation', { id })).status, 404, 'it is no invocation')
  t.equal((await ask(one.url, 'cancelInvocation', { id })).status, 404)
  t.strictSame((await ask(one.url, 'listInvocations')).json.invocations, [])
})

t.test('who lists what he created finds it', async (t) => {
  const { url } = await startOne(t)
  const ids: string[] = []
  for (const every of ['1h', '2h', '3h'])
    ids.unshift((await ask(url, 'createSchedule', { body: { ...hourly, every } })).json.id)
  const { headers, json } = await ask(url, 'listSchedules', { query: { limit: '2' } })
  t.strictSame(
    json.schedules.map((each: { id: string; nextRuns: string[] }) => [each.id, each.nextRuns.length]),
    ids.slice(0, 2).map((id) => [id, 1]),
  )
  t.match(headers.get('link'), /^<\/schedules\?limit=2&cursor=[\w-]+>; rel="next"$/)
  const rest = await ask(url, 'listSchedules', { query: { limit: '2', cursor: json.next } })
  t.strictSame(
    rest.json.schedules.map(({ id }: { id: string }) => id),
    ids.slice(2),
  )
  t.notOk('next' in rest.json)
  t.strictSame((await ask(url, 'listSchedules', { query: { state: 'paused,ended' } })).json, { schedules: [] })
  for (const query of [{ state: 'deleted' }, { cursor: '!' }, { limit: '0' }] as Record<string, string>[])
    t.equal((await ask(url, 'listSchedules', { query })).json.code, 'invalid-query', JSON.stringify(query))
})

t.test('a pause and a resumption are answered once a listener has done them', async (t) => {
  const [first, second] = await startTwo(t)
  const { id } = (await ask(first.url, 'createSchedule', { body: hourly })).json
  let tick = await tickOf(first, id)
  const listener = new Listener(first.stream)
  for (const kind of ['pause', 'resume'] as const) {
    const name = kind === 'pause' ? 'pauseSchedule' : 'resumeSchedule'
    const asking = ask(second.url, name, { id, query: { wait: '30s' } })
    const isOf = () => (first.view.directive(id)?.kind === kind ? first.view.directive(id) : undefined)
    const directive = await first.view.until(isOf, 10_000)
    if (!directive) return t.fail('nothing is asked')
    t.match(directive, { kind, generation: tick.generation, attempt: 1, isDone: false })
    t.equal(decodeCall(directive.record, { log: 'calls', partition: 0, offset: 0, appendedAtMs: 0 }).call.id, id)
    t.match((await ask(first.url, 'getSchedule', { id })).json, { pendingChange: kind })
    tick = await tell(first, tick, decideSteering(tick.schedule, kind, Date.now()))
    await listener.mark({ ...directive, isDone: true })
    const { json, status } = await asking
    t.equal(status, 200)
    t.match(json, { id, state: kind === 'pause' ? 'paused' : 'active' })
    t.equal(json.nextRuns.length, kind === 'pause' ? 0 : 5)
    t.notOk('pendingChange' in json)
    const before = first.view.directive(id)?.number
    t.equal((await ask(second.url, name, { id })).status, 200, 'what is so already is not asked for')
    t.equal(first.view.directive(id)?.number, before)
  }
})

t.test('what another process changed a moment ago is not taken for what it was', async (t) => {
  const [first, second] = await startTwo(t)
  const { id } = (await ask(first.url, 'createSchedule', { body: hourly })).json
  const tick = await tickOf(second, id)
  second.view.held.add('journal')
  await tell(first, tick, decideSteering(tick.schedule, 'pause', Date.now()))
  t.match((await ask(second.url, 'getSchedule', { id })).json, { state: 'active' })
  const resuming = ask(second.url, 'resumeSchedule', { id, query: { wait: '50ms' } })
  // The request is one more that waits, unless it was answered.
  await Promise.race([resuming, second.view.until(() => (second.view.waits > 1 ? true : undefined), 10_000)])
  second.view.release()
  t.match((await resuming).json, { id, state: 'resuming' })
  t.match(await directiveOf(second.view, id), { kind: 'resume', generation: 2, attempt: 1 })
})

t.test('what takes longer is told to be under way', async (t) => {
  const { url } = await startOne(t)
  const { id } = (await ask(url, 'createSchedule', { body: hourly })).json
  const query = { wait: '50ms' }
  const states = { pauseSchedule: 'pausing', deleteSchedule: 'deleting' } as const
  for (const [name, state] of Object.entries(states)) {
    const { json, status } = await ask(url, name as keyof typeof states, { id, query })
    t.equal(status, 202)
    t.strictSame(json, { id, state })
  }
  t.equal((await ask(url, 'getSchedule', { id })).json.pendingChange, 'delete')
})

t.test('one that is deleted is not there any more', async (t) => {
  const one = await startOne(t)
  const { id } = (await ask(one.url, 'createSchedule', { body: hourly })).json
  const tick = await tickOf(one, id)
  const deleting = ask(one.url, 'deleteSchedule', { id, query: { wait: '30s' } })
  await new Listener(one.stream).cancel(tick, await directiveOf(one.view, id))
  const { json, status } = await deleting
  t.equal(status, 200)
  t.strictSame(json, { id, state: 'deleted' })
  for (const name of ['getSchedule', 'deleteSchedule', 'pauseSchedule', 'resumeSchedule'] as const)
    t.equal((await ask(one.url, name, { id })).json.code, 'not-found', name)
  t.strictSame((await ask(one.url, 'listSchedules')).json.schedules, [])
})

t.test('one that has ended can be changed no more', async (t) => {
  const one = await startOne(t)
  const endAt = new Date(Date.now() + 2 * HOUR_MS).toISOString()
  const { id } = (await ask(one.url, 'createSchedule', { body: { ...hourly, endAt } })).json
  const tick = await tickOf(one, id)
  const pausing = ask(one.url, 'pauseSchedule', { id, query: { wait: '30s' } })
  await directiveOf(one.view, id)
  await tell(one, tick, decideTick({ ...tick.schedule, endAtMs: Date.now() }, Date.now() + HOUR_MS))
  t.match((await pausing).json, { code: 'already-ended', status: 409 })
  for (const name of ['deleteSchedule', 'pauseSchedule', 'resumeSchedule'] as const)
    t.equal((await ask(one.url, name, { id })).json.code, 'already-ended', name)
  t.match((await ask(one.url, 'getSchedule', { id })).json, { state: 'ended', nextRuns: [] })
  t.equal((await ask(one.url, 'listSchedules', { query: { state: 'ended' } })).json.schedules.length, 1)
})

t.test('one that is not known is not there', async (t) => {
  const { url } = await startOne(t)
  for (const name of ['getSchedule', 'pauseSchedule', 'resumeSchedule', 'deleteSchedule'] as const) {
    const { json, status } = await ask(url, name, { id: '01890000-0000-7000-8000-000000000000' })
    t.equal(status, 404, name)
    t.match(json, { code: 'not-found', detail: /no schedule/ })
  }
})

t.test('where there is no view schedules are taken, and no more', async (t) => {
  const { url } = await startAccepter(t)
  t.equal((await ask(url, 'createSchedule', { body: hourly })).status, 201)
  t.equal((await fetch(`${url}/schedules`)).status, 405)
})
