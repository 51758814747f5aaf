import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import {
  type Call,
  type Directive,
  decideSteering,
  decideTick,
  decideVerdict,
  decodeCall,
  decodeJournalEntry,
  encodeCall,
  encodeJournalEntry,
  firingId,
  firingOf,
  firstTick,
  idTimeMs,
  isTick,
  journalEntryOf,
  nextTick,
  peekBearer,
  peekJournal,
  peekOrigin,
  type Schedule,
  TICK_EVERY_MS,
  type TickCall,
} from '../src/index.js'
import { NOW_MS, plain, validCall } from './arbitraries.js'
import { failureOf } from './failure.js'
import { holds } from './property.js'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const origin = { log: 'calls', partition: 0, offset: 7, appendedAtMs: NOW_MS }

/** Once an hour, at NOW_MS and so on, of which that is dealt with. */
const hourly: Schedule = { everyMs: HOUR_MS, startAtMs: NOW_MS, missed: 'skip', afterMs: NOW_MS, isPaused: false }
const atHour = (hour: number): number => NOW_MS + hour * HOUR_MS

const call: Call = {
  ...{ id: 'order-42', generation: 1, attempt: 4, acceptedAtMs: NOW_MS, depth: 2 },
  ...{ target: 'http://a/', method: 'PUT', headers: { 'x-a': '1' }, body: Buffer.from('b'), correlationId: 'c' },
}
const tick: TickCall = { ...call, schedule: hourly }

t.test('a tick that comes before the next time waits for it', async (t) => {
  const waits = { tick: { did: 'waited', afterMs: NOW_MS }, dueMs: atHour(1) }
  t.strictSame(decideTick(hourly, NOW_MS), waits)
  t.strictSame(decideTick(hourly, atHour(1) - 1), waits)
  t.strictSame(decideTick(hourly, atHour(-30)), { ...waits, dueMs: atHour(-6) }, 'but never longer than a day')
})

t.test('each time is called once, if it is not too late', async (t) => {
  const fired = { did: 'fired', afterMs: atHour(1), firedMs: atHour(1) }
  t.strictSame(decideTick(hourly, atHour(1)), { tick: fired, dueMs: atHour(2) })
  t.strictSame(decideTick(hourly, atHour(1) + MINUTE_MS), { tick: fired, dueMs: atHour(2) })
  const after = { ...hourly, afterMs: atHour(1), firedMs: atHour(1) }
  t.strictSame(decideTick(after, atHour(1) + 1), { tick: { ...fired, did: 'waited' }, dueMs: atHour(2) })
  t.strictSame(decideTick(after, atHour(0)).tick.did, 'waited', 'the clock was put back')
})

t.test('what was missed is skipped, or made up for by one call', async (t) => {
  const lateMs = atHour(3) + MINUTE_MS + 1
  t.strictSame(decideTick(hourly, lateMs), { tick: { did: 'skipped', afterMs: atHour(3) }, dueMs: atHour(4) })
  const before = { ...hourly, firedMs: NOW_MS }
  t.strictSame(decideTick(before, lateMs).tick, { did: 'skipped', afterMs: atHour(3), firedMs: NOW_MS })
  const made = { tick: { did: 'fired', afterMs: atHour(3), firedMs: atHour(3) }, dueMs: atHour(4) }
  t.strictSame(decideTick({ ...hourly, missed: 'once' }, lateMs), made)
  for (const missed of ['skip', 'once'] as const)
    t.strictSame(decideTick({ ...hourly, missed }, atHour(3) + 5), made, `of several the last is in time: ${missed}`)
})

t.test('what was missed does not take long to find', async (t) => {
  const everySecond: Schedule = { cron: '* * * * * *', startAtMs: 0, missed: 'once', afterMs: 0, isPaused: false }
  const { dueMs, tick } = decideTick(everySecond, NOW_MS + 400)
  t.strictSame([tick.firedMs, dueMs], [NOW_MS, NOW_MS + 1_000], 'of milliards')
})

t.test('it ends with its last time', async (t) => {
  const short = { ...hourly, endAtMs: atHour(2) }
  t.equal(decideTick(short, atHour(1)).dueMs, atHour(2))
  const last = { tick: { did: 'fired', afterMs: atHour(2), firedMs: atHour(2) }, dueMs: undefined }
  t.strictSame(decideTick({ ...short, afterMs: atHour(1) }, atHour(2)), last)
  const over = decideTick({ ...short, afterMs: atHour(2) }, atHour(2))
  t.strictSame([over.tick.did, over.dueMs], ['waited', undefined])
})

t.test('while it is paused nothing is called, and nothing is missed', async (t) => {
  const { dueMs, tick: paused } = decideSteering(hourly, 'pause', atHour(0.5))
  t.strictSame([paused.did, dueMs], ['paused', atHour(0.5) + TICK_EVERY_MS])
  const waiting = nextTick(tick, paused, dueMs ?? 0)
  t.match(waiting, { generation: 2, attempt: 1, notBeforeMs: dueMs, schedule: { isPaused: true, afterMs: NOW_MS } })
  const still = decideTick(waiting.schedule, atHour(24.5))
  t.strictSame([still.tick.did, still.dueMs], ['waited', atHour(48.5)])
  const again = nextTick(waiting, still.tick, still.dueMs ?? 0)
  t.match(again, { generation: 2, attempt: 2, schedule: { isPaused: true } })
  const resumed = decideSteering(again.schedule, 'resume', atHour(30.5))
  t.strictSame(resumed, { tick: { did: 'resumed', afterMs: atHour(30.5) }, dueMs: atHour(31) })
  const goesOn = nextTick(again, resumed.tick, resumed.dueMs ?? 0)
  t.match(goesOn, { generation: 3, attempt: 1, schedule: { isPaused: false, afterMs: atHour(30.5) } })
  t.equal(decideSteering(hourly, 'resume', atHour(5)).tick.afterMs, NOW_MS, 'what is not paused goes on as it was')
  const ending = { ...again.schedule, endAtMs: atHour(50) }
  t.equal(decideTick(ending, atHour(48.5)).dueMs, atHour(72.5))
  const over = { tick: { did: 'waited', afterMs: NOW_MS }, dueMs: undefined }
  t.strictSame(decideTick(ending, atHour(72.5)), over, 'it ends as if it were not paused')
  t.equal(decideSteering(ending, 'resume', atHour(51)).dueMs, undefined)
})

t.test('a clock that is put back brings no time twice', async (t) => {
  const steps = fc.array(fc.integer({ min: -5 * HOUR_MS, max: 6 * HOUR_MS }), { maxLength: 40 })
  const timings = fc.constantFrom<Partial<Schedule>>({}, { missed: 'once' }, { everyMs: 7_000 })
  holds(t, 'times', 500, fc.tuple(steps, timings), ([passes, changes]) => {
    let schedule: Schedule = { ...hourly, ...changes }
    let nowMs = NOW_MS
    const fired: number[] = []
    for (const ms of passes) {
      nowMs += ms
      const { tick: did, dueMs } = decideTick(schedule, nowMs)
      assert.ok(did.afterMs >= schedule.afterMs)
      assert.ok(dueMs !== undefined && dueMs > nowMs && dueMs <= nowMs + TICK_EVERY_MS)
      if (did.did === 'fired') fired.push(did.firedMs as number)
      schedule = nextTick({ ...tick, schedule }, did, dueMs).schedule
    }
    for (const [index, ms] of fired.entries()) {
      assert.ok(index === 0 || ms > Number(fired[index - 1]))
      assert.equal((ms - NOW_MS) % (schedule.everyMs as number), 0)
    }
  })
})

t.test('its invocations say which schedule and which time they are for', async (t) => {
  const made = firingOf(
    { ...tick, notBeforeMs: 1, schedule: { ...hourly, expiresInMs: 5_000 } },
    atHour(1),
    atHour(1) + 9,
  )
  t.strictSame(made, {
    ...{ id: firingId('order-42', atHour(1)), generation: 1, attempt: 1, acceptedAtMs: atHour(1) + 9 },
    ...{ parent: 'order-42', depth: 2, target: 'http://a/', method: 'PUT', body: call.body, correlationId: 'c' },
    headers: {
      'x-a': '1',
      'posthaste-schedule-id': 'order-42',
      'posthaste-schedule-time': new Date(atHour(1)).toISOString(),
    },
    expiresAtMs: atHour(1) + 5_009,
  })
  t.equal(idTimeMs(made.id), atHour(1))
  t.not(firingId('order-42', atHour(2)), made.id)
  t.not(firingId('order-43', atHour(1)), made.id)
  t.strictSame(decodeCall(encodeCall(made), origin).call.id, made.id)
})

const anySchedule = fc
  .tuple(
    fc.constantFrom<Partial<Schedule>>(
      { cron: '0 9 * * *', timeZone: 'Europe/Berlin' },
      { cron: '* * * * * *' },
      { everyMs: 1_500 },
    ),
    fc.constantFrom<Partial<Schedule>>({}, { endAtMs: NOW_MS + 1, expiresInMs: 7_000 }, { firedMs: NOW_MS - 1 }),
    fc.record({
      missed: fc.constantFrom('once', 'skip'),
      isPaused: fc.boolean(),
      afterMs: fc.nat(),
      startAtMs: fc.nat(),
    }),
  )
  .map((parts) => Object.assign({}, ...parts) as Schedule)
const anyTick = fc.tuple(validCall, anySchedule).map(([any, schedule]): TickCall => {
  const { expiresAtMs: _, ...rest } = any
  return { ...rest, schedule }
})

t.test('a tick comes back from its record as it was, and whoever peeks takes it for no call', async (t) => {
  holds(t, 'round trip', 1_000, anyTick, (any) => {
    const record = encodeCall(any)
    const { call: found, settled } = decodeCall(record, { ...origin, appendedAtMs: 0 })
    assert.deepEqual(plain(found), plain(any))
    assert.ok(settled && isTick(found))
    assert.equal(peekBearer(record), undefined)
    assert.equal(peekOrigin(record), undefined)
  })
  t.ok(peekBearer(encodeCall(call)))
  t.equal(peekOrigin(encodeCall(call)), 'http://a')
})

t.test('another producer gives no more than the schedule', async (t) => {
  const text = '{"target":"http://a/","schedule":{"every":"1h"}}'
  const { call: found, settled } = decodeCall(Buffer.from(text), origin)
  t.notOk(settled)
  t.match(found, { attempt: 1, schedule: { everyMs: HOUR_MS, startAtMs: NOW_MS, afterMs: NOW_MS, missed: 'once' } })
  for (const schedule of [
    '{}',
    '{"cron":"* *"}',
    '{"every":"1h","cron":"* * * * *"}',
    '{"every":"1h","after":"now"}',
  ]) {
    const wrong = Buffer.from(`{"target":"http://a/","schedule":${schedule}}`)
    t.equal(failureOf(() => decodeCall(wrong, origin)).code, 'record-unreadable', schedule)
  }
})

t.test('a schedule begins with its first time, or a look at it in a day', async (t) => {
  t.equal(firstTick(tick, NOW_MS).notBeforeMs, atHour(1))
  t.equal(firstTick({ ...tick, schedule: { ...hourly, startAtMs: atHour(100) } }, NOW_MS).notBeforeMs, atHour(24))
})

t.test('the journal tells of a tick, whatever it is that it tells', async (t) => {
  const what = { atMs: NOW_MS, state: 'retrying', nextAttemptAtMs: atHour(1) } as const
  const fired = { did: 'fired', afterMs: atHour(1), firedMs: atHour(1) } as const
  const entry = encodeJournalEntry(journalEntryOf(tick, { ...what, tick: fired, record: encodeCall(tick) }, undefined))
  t.strictSame(decodeJournalEntry(entry).tick, fired)
  t.match(peekJournal(entry), { isTick: true, target: 'http://a/', correlationId: 'c', attempt: 4, state: 'retrying' })
  const cancelled = encodeJournalEntry(journalEntryOf(tick, { atMs: NOW_MS, state: 'cancelled' }, undefined))
  t.strictSame(decodeJournalEntry(cancelled).tick, { did: 'waited', afterMs: NOW_MS })
  t.ok(peekJournal(cancelled)?.isTick)
  const plainEntry = encodeJournalEntry(journalEntryOf(call, { atMs: NOW_MS, state: 'cancelled' }, undefined))
  t.notOk(peekJournal(plainEntry)?.isTick)
  t.notOk('tick' in decodeJournalEntry(plainEntry))
})

t.test('a directive is about the generation that it was asked of, and what is deleted never goes on', async (t) => {
  const asked: Directive = {
    ...{ id: 'order-42', generation: 1, attempt: 4, kind: 'pause', number: 1, askedAtMs: NOW_MS, isDone: false },
    ...{ untilMs: NOW_MS, record: Buffer.alloc(0) },
  }
  const verdicts = (directive: Directive) =>
    [{ attempt: 3 }, { attempt: 4 }, { attempt: 9 }, { generation: 2 }].map((changes) =>
      decideVerdict({ ...tick, ...changes }, directive),
    )
  t.strictSame(verdicts(asked), ['pause', 'pause', 'pause', 'call'])
  t.strictSame(verdicts({ ...asked, kind: 'resume' }), ['resume', 'resume', 'resume', 'call'])
  t.strictSame(verdicts({ ...asked, isDone: true }), ['over', 'over', 'over', 'call'])
  t.strictSame(verdicts({ ...asked, kind: 'cancel' }), ['cancel', 'cancel', 'cancel', 'cancel'])
  t.strictSame(verdicts({ ...asked, kind: 'cancel', isDone: true }), ['over', 'over', 'over', 'over'])
})
