import { type Call, encodeCall } from '@posthaste/core'
import t from 'tap'
import type { ControlLog } from '../src/index.js'
import { acted, ask, cancel, entriesOf, move, readControl, statesOf } from './asking.js'
import {
  createStorage,
  finalStates,
  readJournal,
  type Seen,
  startListener,
  startTarget,
  submit,
  until,
} from './setting.js'

const STEADY = { jitter: 'none', factor: 1 } as const
/** Longer than anything here takes. */
const HOUR_MS = 3_600_000
/** Enough for a busy machine to do what comes before. */
const AHEAD_MS = 700

const calledAtMs = (seen: readonly Seen[], { id }: Call): number[] =>
  seen.filter(({ headers }) => headers['posthaste-id'] === id).map(({ atMs }) => atMs)

t.test('what is deferred is called at the other time, sooner or later, and only then', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  const [sooner, later] = (await submit(stream, [
    { target: target.url, delay: '1h' },
    { target: target.url, delay: `${AHEAD_MS}ms` },
  ])) as [Call, Call]
  await until(async () => (await listener.report()).deferred === 2)
  const dueMs = Date.now() + 2 * AHEAD_MS
  for (const call of [sooner, later]) {
    const directive = await acted(stream, await move(stream, call, dueMs))
    t.equal(directive.tooLate, undefined)
  }
  const notes = await entriesOf(stream, sooner)
  t.strictSame(
    notes.map(({ listener, nextAttemptAtMs, state }) => [state, nextAttemptAtMs, listener]),
    [
      ['scheduled', sooner.notBeforeMs, 'test'],
      ['scheduled', dueMs, 'test'],
    ],
  )
  await finalStates(stream, 2)
  for (const call of [sooner, later]) {
    const [atMs = 0, ...more] = calledAtMs(target.seen, call)
    t.ok(atMs >= dueMs && atMs < dueMs + 250, `${atMs - dueMs} ms after its time`)
    t.equal(more.length, 0)
    t.strictSame(await statesOf(stream, call), ['scheduled', 'scheduled', 'succeeded'])
  }
  t.match(await listener.ping('ping', 5_000), { drained: true, superseded: 1, called: 2, deferred: 2 })
  await until(async () => ((await readControl(stream)).get(later.id)?.untilMs ?? 0) < Date.now() + HOUR_MS)
  t.ok(((await readControl(stream)).get(sooner.id)?.untilMs ?? 0) > Date.now() + 24 * HOUR_MS, 'one is still to come')
})

t.test('the last of several times counts, and what was moved can be cancelled', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  const [call, other] = (await submit(stream, Array(2).fill({ target: target.url, delay: '1h' }))) as [Call, Call]
  await until(async () => (await listener.report()).deferred === 2)
  const dueMs = Date.now() + 2 * AHEAD_MS
  for (const time of [dueMs - AHEAD_MS, dueMs + HOUR_MS, dueMs - AHEAD_MS, dueMs]) {
    await acted(stream, await move(stream, call, time))
    await acted(stream, await move(stream, other, time))
  }
  await acted(stream, await cancel(stream, other))
  await until(() => target.seen.length > 0)
  t.ok(Date.now() >= dueMs)
  // Each was put on the timers for four times; one of them is an hour away.
  await until(async () => (await listener.report()).superseded === 5)
  t.match(await listener.ping('ping', 5_000), { drained: true, called: 1, succeeded: 1, cancelled: 1 })
  t.strictSame(calledAtMs(target.seen, call).length, 1)
  t.strictSame(calledAtMs(target.seen, other), [])
})

t.test('what is asked faster than it is done comes to the last that was asked', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  const [call] = (await submit(stream, [{ target: target.url, delay: '1h' }])) as [Call]
  await until(async () => (await listener.report()).deferred === 1)
  const dueMs = Date.now() + AHEAD_MS
  const asking = Array.from({ length: 20 }, (_, index) => move(stream, call, dueMs + (19 - index) * HOUR_MS))
  const last = (await Promise.all(asking)).at(-1)
  if (last) await acted(stream, last)
  await until(() => target.seen.length > 0)
  t.ok(Date.now() >= dueMs)
  t.match(await listener.ping('ping', 5_000), { drained: true, called: 1, succeeded: 1 })
})

t.test('a cancellation stands, whatever is asked after it', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  const [call] = (await submit(stream, [{ target: target.url, delay: `${AHEAD_MS}ms` }])) as [Call]
  await until(async () => (await listener.report()).deferred === 1)
  await acted(stream, await cancel(stream, call))
  await move(stream, call, Date.now())
  await until(async () => (await readControl(stream)).get(call.id)?.kind === 'cancel')
  t.match((await readControl(stream)).get(call.id), { isDone: true }, 'whoever comes later finds it as well')
  await until(async () => (await listener.report()).superseded === 1)
  t.strictSame(await statesOf(stream, call), ['scheduled', 'cancelled'])
  t.equal(target.seen.length, 0)
})

t.test('the next attempt is moved, and the one after it is not', async (t) => {
  const target = await startTarget(t, (_, response) => response.writeHead(503).end())
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  const retry = { ...STEADY, initialDelay: '300ms', maxDelay: '300ms', maxAttempts: 3 }
  const [call] = (await submit(stream, [{ target: target.url, retry }])) as [Call]
  await until(async () => (await readJournal(stream)).length === 1)
  const dueMs = Date.now() + 2 * AHEAD_MS
  const next = { ...call, attempt: 2, notBeforeMs: Date.now() + 300 }
  t.equal((await acted(stream, await move(stream, next, dueMs))).tooLate, undefined)
  await finalStates(stream, 1)
  const [, second = 0, third = 0] = calledAtMs(target.seen, call)
  t.ok(second >= dueMs && second < dueMs + 250, `${second - dueMs} ms after its time`)
  t.ok(third >= second + 300 && third < second + 600, `${third - second} ms after that`)
  t.strictSame(
    (await entriesOf(stream, call)).map(({ attempt, state }) => [attempt, state]),
    [
      [1, 'retrying'],
      [2, 'scheduled'],
      [2, 'retrying'],
      [3, 'failed'],
    ],
  )
  t.match(await listener.ping('ping', 5_000), { drained: true, called: 3, superseded: 1 })
})

t.test('what runs, or has ended, is not moved, and the log says so', async (t) => {
  const answers: (() => void)[] = []
  const target = await startTarget(t, (_, response) => void answers.push(() => response.end()))
  const { listener, stream } = await startListener(t)
  const [call] = (await submit(stream, [{ target: target.url }])) as [Call]
  await listener.ping('ping', 0)
  await until(() => answers.length === 1)
  const directive = await acted(stream, await move(stream, call, Date.now() + 100))
  t.equal(directive.tooLate, 0, 'the record as it was is still good')
  answers[0]?.()
  await finalStates(stream, 1)
  const { number, tooLate = number } = await acted(stream, await move(stream, call, Date.now() + 100))
  t.ok(tooLate < number && tooLate >= directive.number, 'no record of it is called')
  t.strictSame(await statesOf(stream, call), ['succeeded'])
  t.match(await listener.ping('ping', 5_000), { drained: true, pulled: 1, called: 1 })
  t.equal(target.seen.length, 1)
})

t.test('what was being made when it was to be moved is made again if its listener goes', async (t) => {
  const target = await startTarget(t, () => {})
  const storage = createStorage(t)
  const { consumer, listener, stream } = await startListener(t, {}, storage)
  const [call] = (await submit(stream, [{ target: target.url, timeout: '1m' }])) as [Call]
  await listener.ping('ping', 0)
  await until(() => target.open() === 1)
  await acted(stream, await move(stream, call, Date.now() + HOUR_MS))
  await listener.stop(0)
  await consumer.stop()
  const next = await startListener(t, {}, storage)
  await next.listener.ping('ping', 0)
  await until(() => target.seen.length === 2)
  t.match(await next.listener.report(), { superseded: 0, deferred: 0 })
})

t.test('what waits for its target here is moved', async (t) => {
  const answers: (() => void)[] = []
  const target = await startTarget(t, (_, response) => void answers.push(() => response.end()))
  const { listener, stream } = await startListener(t, { concurrencyPerTarget: 1 })
  const [, second] = (await submit(
    stream,
    ['first', 'second'].map((path) => ({ target: `${target.url}/${path}` })),
  )) as [Call, Call]
  await listener.ping('ping', 0)
  await until(() => answers.length === 1)
  const dueMs = Date.now() + AHEAD_MS
  const directive = await acted(stream, await move(stream, second, dueMs))
  t.equal(directive.tooLate, undefined)
  answers[0]?.()
  await until(() => answers.length === 2)
  t.ok(Date.now() >= dueMs)
  answers[1]?.()
  t.match(await listener.ping('ping', 5_000), { drained: true, called: 2, succeeded: 2, deferred: 1, superseded: 0 })
})

t.test('what was moved while no listener was there comes at its new time', async (t) => {
  const target = await startTarget(t)
  const storage = createStorage(t)
  const { consumer, listener, stream } = await startListener(t, {}, storage)
  await listener.ping('ping', 0)
  const calls = await submit(stream, Array(3).fill({ target: target.url, delay: `${AHEAD_MS}ms` }))
  const [moved, unknown, done] = calls as [Call, Call, Call]
  await until(async () => (await listener.report()).deferred === 3)
  const dueMs = Date.now() + 3 * AHEAD_MS
  await acted(stream, await move(stream, done, dueMs))
  await listener.stop(0)
  await consumer.stop()
  await move(stream, moved, dueMs)
  // Nothing can be written for it until its record comes.
  await ask(stream, unknown, { kind: 'move', dueMs, record: new Uint8Array(0) })
  await until(() => Date.now() > (moved.notBeforeMs as number))
  const next = await startListener(t, {}, storage)
  await next.listener.ping('ping', 0)
  await until(() => target.seen.length === 3)
  for (const call of calls) {
    const [atMs = 0] = calledAtMs(target.seen, call)
    t.ok(atMs >= dueMs, `${atMs - dueMs} ms after its time`)
    t.strictSame((await statesOf(stream, call)).slice(0, 2), ['scheduled', 'scheduled'])
  }
  t.match(await next.listener.ping('ping', 5_000), { drained: true, called: 3 })
  t.ok((await next.listener.report()).superseded >= 1, 'of the one that was moved before')
})

t.test('what was moved to an earlier time is not called again when its first record comes while it runs', async (t) => {
  let answer = (): void => {}
  const target = await startTarget(t, (_, response) => {
    answer = () => response.end()
  })
  const storage = createStorage(t)
  const stream = await storage.open()
  const control: ControlLog = {
    supports: { owners: false },
    append: (log, records) => stream.append(log, records),
    follow: (log, from, options) => stream.follow(log, from, options),
  }
  const { listener } = await startListener(t, { control }, storage)
  await listener.ping('ping', 0)
  const [call] = (await submit(stream, [{ target: target.url, delay: '2s' }])) as [Call]
  await until(async () => (await listener.report()).deferred === 1)
  // As another listener leaves it behind that has acted on the move.
  const { number } = await ask(stream, call, { kind: 'move', dueMs: Date.now(), isDone: true })
  await stream.append('calls', [
    { key: call.id, value: encodeCall({ ...call, move: number, notBeforeMs: Date.now() }) },
  ])
  await until(async () => target.seen.length === 1 && (await listener.report()).superseded === 1)
  answer()
  t.match(await listener.ping('ping', 5_000), { drained: true, called: 1 })
  t.strictSame(await statesOf(stream, call), ['scheduled', 'succeeded'])
})
