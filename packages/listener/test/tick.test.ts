import { setTimeout as sleep } from 'node:timers/promises'
import {
  createId,
  decideSteering,
  decideTick,
  decodeCall,
  decodeJournalEntry,
  encodeCall,
  firingId,
  nextTick,
  type Schedule,
  type Tick,
  type TickCall,
} from '@posthaste/core'
import type { Effects, NewRecord, Stream, Turn } from '@posthaste/stream'
import t from 'tap'
import { endTick, steerTick, tickEffectsAgain } from '../src/tick-effects.js'
import { acted, ask, cancel, directiveFor, entriesOf, write } from './asking.js'
import { gated } from './gate.js'
import { changing, createStorage, plain, readJournal, startListener, startTarget, until } from './setting.js'

const HOUR_MS = 3_600_000
const NOW_MS = Date.parse('2026-06-01T12:00:00.123Z')
const STAMP = { atMs: NOW_MS, listener: 'http://127.0.0.1:8080' }

/** A tick of a schedule with a time each hour, of which the last that is dealt with is so long ago. */
function tickOf(target: string, agoMs: number, nowMs = Date.now(), changes: Partial<Schedule> = {}): TickCall {
  const afterMs = nowMs - agoMs
  return {
    ...{ id: createId(nowMs), generation: 1, attempt: 1, acceptedAtMs: afterMs, depth: 0 },
    ...{ target, method: 'POST', headers: {}, body: Buffer.from('a body'), notBeforeMs: nowMs },
    schedule: { everyMs: HOUR_MS, startAtMs: afterMs, missed: 'once', afterMs, isPaused: false, ...changes },
  }
}

function submitTick(stream: Stream, tick: TickCall): Promise<void> {
  const { attempt, generation, id } = tick
  return stream.append('calls', [{ key: id, generation, attempt, value: encodeCall(tick) }])
}

const entryIn = ({ journal = [] }: Effects): Uint8Array => (journal[0] as NewRecord).value

const callIn = ({ value }: NewRecord) =>
  decodeCall(value, { log: 'calls', partition: 0, offset: 0, appendedAtMs: 0 }).call

t.test('a tick gives rise to its invocation, the next tick, and what tells of both', async (t) => {
  const tick = tickOf('http://a/', HOUR_MS + 5, NOW_MS)
  const { effects, state } = endTick(tick, decideTick(tick.schedule, NOW_MS), STAMP)
  t.equal(state, 'ticked')
  const [timer, ...noTimer] = effects.timers ?? []
  const [child, ...noChild] = effects.children ?? []
  const [entry, ...noEntry] = effects.journal ?? []
  t.strictSame([noTimer, noChild, noEntry], [[], [], []])
  if (!timer || !child || !entry) return
  t.match(timer, { key: tick.id, generation: 1, attempt: 2, dueMs: NOW_MS - 5 + HOUR_MS })
  t.match(callIn(timer), { notBeforeMs: timer.dueMs, schedule: { afterMs: NOW_MS - 5, firedMs: NOW_MS - 5 } })
  const id = firingId(tick.id, NOW_MS - 5)
  t.match(child, { key: id, generation: 1, attempt: 1 })
  t.match(callIn(child), { id, parent: tick.id, acceptedAtMs: NOW_MS, target: 'http://a/' })
  t.notOk('schedule' in callIn(child))
  const told = decodeJournalEntry(entry.value)
  t.match(told, { id: tick.id, attempt: 1, state: 'retrying', nextAttemptAtMs: timer.dueMs, ...STAMP })
  t.match(told, { tick: { did: 'fired', afterMs: NOW_MS - 5, firedMs: NOW_MS - 5 } })
  t.strictSame(told.record, encodeCall(tick), 'it is all that a view needs')
})

t.test('whoever finds that it has ended does the same again', async (t) => {
  const due = tickOf('http://a/', HOUR_MS + 5, NOW_MS)
  const early = tickOf('http://a/', 5, NOW_MS)
  const last = tickOf('http://a/', HOUR_MS + 5, NOW_MS, { endAtMs: NOW_MS })
  const paused = nextTick(early, decideSteering(early.schedule, 'pause', NOW_MS).tick, NOW_MS)
  const endings = [
    ...[due, early, last, paused].map(
      (tick) => [tick, endTick(tick, decideTick(tick.schedule, NOW_MS), STAMP)] as const,
    ),
    [early, steerTick(early, 'pause', STAMP)] as const,
    [paused, steerTick(paused, 'resume', STAMP)] as const,
  ]
  for (const [tick, { effects }] of endings) {
    const { journal: _, ...sequels } = effects
    t.strictSame(tickEffectsAgain(tick, entryIn(effects), false), { again: true, ...sequels })
    const { timers: __, ...called } = sequels
    t.strictSame(
      tickEffectsAgain(tick, entryIn(effects), true),
      { again: true, ...called },
      'no next one of what is over',
    )
  }
  const states = endings.map(([, { effects }]) => decodeJournalEntry(entryIn(effects)).state)
  t.strictSame(states, ['retrying', 'retrying', 'succeeded', 'retrying', 'retrying', 'retrying'])
})

t.test('the listener calls what is due, and counts the tick by itself', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  const tick = tickOf(target.url, HOUR_MS + 5)
  const firedMs = tick.schedule.afterMs + HOUR_MS
  await submitTick(stream, tick)
  await listener.ping('ping', 0)
  await until(() => target.seen.length === 1)
  await until(async () => (await listener.report()).succeeded === 1)
  t.match(await listener.ping('ping', 5_000), { drained: true, ticked: 1, called: 1, succeeded: 1, retrying: 0 })
  t.match(target.seen[0]?.headers, {
    'posthaste-id': firingId(tick.id, firedMs),
    'posthaste-schedule-id': tick.id,
    'posthaste-schedule-time': new Date(firedMs).toISOString(),
  })
  t.equal(String(target.seen[0]?.body), 'a body')
})

t.test('a tick that is not due waits, and nobody takes it for a call', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  const nowMs = Date.now()
  const tick = { ...tickOf(target.url, HOUR_MS + 5, nowMs), notBeforeMs: nowMs + 400 }
  await submitTick(stream, tick)
  t.match(await listener.ping('ping', 5_000), { drained: true, deferred: 1, ticked: 0, called: 0 })
  await until(() => target.seen.length === 1)
  t.ok((target.seen[0]?.atMs ?? 0) >= nowMs + 400)
  const [scheduled] = await entriesOf(stream, tick)
  t.match(scheduled, { state: 'scheduled', tick: { did: 'waited' }, nextAttemptAtMs: nowMs + 400 })
})

t.test('another producer may write a schedule', async (t) => {
  const { listener, stream } = await startListener(t)
  const value = Buffer.from('{"target":"http://127.0.0.1:9/","schedule":{"every":"1h"}}')
  await stream.append('calls', [{ key: '', value }])
  t.match(await listener.ping('ping', 5_000), { drained: true, ticked: 1, called: 0, failed: 0 })
  const [entry] = await readJournal(stream)
  t.match(entry, { attempt: 1, state: 'retrying', tick: { did: 'waited' } })
  t.equal(entry?.nextAttemptAtMs, Number(entry?.acceptedAtMs) + HOUR_MS)
})

t.test('one that is too large ends its schedule, and says of which it is', async (t) => {
  const { listener, stream } = await startListener(t, { recordBytesMax: 1_000 })
  const tick = { ...tickOf('http://127.0.0.1:9/', 5), body: Buffer.alloc(1_000) }
  await submitTick(stream, tick)
  t.match(await listener.ping('ping', 5_000), { drained: true, failed: 1, ticked: 0 })
  const [entry] = await entriesOf(stream, tick)
  t.match(entry, { state: 'failed', failure: { code: 'too-large' }, tick: { did: 'waited' } })
  t.match(callIn({ key: tick.id, value: entry?.record ?? Buffer.alloc(0) }), { id: tick.id, schedule: tick.schedule })
})

/** A listener whose acts on turns are noted, and may find that they have ended. */
async function actingListener(t: Parameters<typeof startListener>[0], ended: (turn: Turn) => Uint8Array | undefined) {
  const turns: string[] = []
  const running = await startListener(t, {}, undefined, (consumer) => ({
    ...changing(consumer, plain),
    act: async (turn, effects) => {
      turns.push(`${turn.generation}.${turn.attempt}${effects.journal ? '' : ' again'}`)
      return ended(turn) ?? consumer.act(turn, effects)
    },
  }))
  await running.listener.ping('ping', 0)
  return { ...running, turns }
}

const entryOf = (tick: TickCall, did: Tick, dueMs: number): Uint8Array =>
  entryIn(endTick(tick, { tick: did, dueMs }, STAMP).effects)

t.test('what is asked of a tick that has ended is done to the one that followed', async (t) => {
  const target = await startTarget(t)
  const tick = { ...tickOf(target.url, 5), notBeforeMs: Date.now() + HOUR_MS }
  const { afterMs } = tick.schedule
  const fired: Tick = { did: 'fired', afterMs: afterMs + HOUR_MS, firedMs: afterMs + HOUR_MS }
  const { stream, turns } = await actingListener(t, ({ attempt = 1, generation }) =>
    generation === 1 && attempt < 3 ? entryOf({ ...tick, attempt }, fired, Date.now() + HOUR_MS) : undefined,
  )
  const after = await acted(stream, await ask(stream, tick, { kind: 'pause' }))
  t.strictSame(turns, ['1.1', '1.2', '1.3'])
  t.match(after, { kind: 'pause', generation: 1, attempt: 3, isDone: true })
  const [entry] = await entriesOf(stream, tick)
  t.match(entry, { attempt: 3, state: 'retrying', tick: { ...fired, did: 'paused' } })
})

t.test('what another began to do is done to its end', async (t) => {
  const tick = { ...tickOf('http://127.0.0.1:9/', 5), notBeforeMs: Date.now() + HOUR_MS }
  const { tick: paused } = decideSteering(tick.schedule, 'pause', Date.now())
  const { listener, stream, turns } = await actingListener(t, ({ generation }) =>
    generation === 1 ? entryOf(tick, paused, Date.now() + 50) : undefined,
  )
  await acted(stream, await ask(stream, tick, { kind: 'pause' }))
  t.strictSame(turns, ['1.1', '2.1 again'])
  await until(async () => (await listener.report()).ticked === 1)
  const [next] = await entriesOf(stream, tick)
  t.match(next, { generation: 2, attempt: 1, tick: { did: 'waited' } }, 'the next tick came')
})

t.test('what is deleted meanwhile, in another generation too, is deleted', async (t) => {
  const tick = { ...tickOf('http://127.0.0.1:9/', 5), notBeforeMs: Date.now() + HOUR_MS }
  const { tick: paused } = decideSteering(tick.schedule, 'pause', Date.now())
  const { stream, turns } = await actingListener(t, ({ generation }) =>
    generation === 1 ? entryOf(tick, paused, Date.now() + HOUR_MS) : undefined,
  )
  t.match(await acted(stream, await cancel(stream, tick)), { kind: 'cancel', generation: 2, attempt: 1 })
  t.strictSame(turns, ['1.1', '2.1'])
  t.match(await entriesOf(stream, tick), [{ generation: 2, attempt: 1, state: 'cancelled', tick: { did: 'waited' } }])
})

t.test('what is left of a generation that was paused calls nothing', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  const tick = { ...tickOf(target.url, HOUR_MS + 5), notBeforeMs: Date.now() + HOUR_MS }
  await acted(stream, await ask(stream, tick, { kind: 'pause' }))
  const left = [1, 2, 7].map((attempt) => ({ ...tick, attempt, notBeforeMs: Date.now() }))
  for (const one of left) await submitTick(stream, one)
  await until(async () => (await listener.report()).pulled === left.length)
  t.match(await listener.ping('ping', 5_000), { drained: true, repeated: 1, superseded: 2, called: 0 })
  const entries = await entriesOf(stream, tick)
  t.strictSame(
    entries.map(({ attempt, generation, tick: told }) => [generation, attempt, told?.did]),
    [[1, 1, 'paused']],
  )
})

t.test('what is left of it, and known to have ended, does not bring the next tick once more', async (t) => {
  const nowMs = Date.now()
  const tick = { ...tickOf('http://127.0.0.1:9/', HOUR_MS + 5), notBeforeMs: nowMs + HOUR_MS }
  const { tick: paused } = decideSteering(tick.schedule, 'pause', nowMs)
  const storage = createStorage(t)
  const before = await storage.open()
  await write(before, { ...directiveFor(tick, { kind: 'pause' }), isDone: true })
  const gate = gated(before)
  t.teardown(() => gate.open())
  gate.close()
  const again: Effects[] = []
  const { listener, stream } = await startListener(t, { control: gate.control }, storage, (consumer) =>
    changing(consumer, (delivery) => ({
      ...plain(delivery),
      // As on a broker, where the journal tells.
      begin: async () => entryOf(tick, paused, nowMs + HOUR_MS),
      complete: (effects = {}) => {
        again.push(effects)
        return delivery.complete(effects)
      },
    })),
  )
  await submitTick(stream, tick)
  await listener.ping('ping', 0)
  await until(async () => (await listener.report()).pulled === 1)
  // Whatever it might do takes a moment.
  await sleep(100)
  t.strictSame(again, [], 'not before it is known what was asked')
  gate.open()
  await until(async () => (await listener.report()).repeated === 1)
  t.strictSame(again, [{ again: true }], 'it has gone on since, and may be far ahead')
})

t.test('a tick in hand is steered there', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t, {}, undefined, (consumer) => ({
    ...changing(consumer, plain),
    act: async () => 'elsewhere' as const,
  }))
  const tick = tickOf(target.url, HOUR_MS + 5)
  const directive = await ask(stream, tick, { kind: 'pause' })
  await submitTick(stream, tick)
  await listener.ping('ping', 0)
  t.match(await acted(stream, directive), { isDone: true })
  await listener.ping('ping', 5_000)
  t.equal(target.seen.length, 0)
  const told = (await entriesOf(stream, tick)).map(({ tick: did }) => did?.did)
  t.strictSame(told, ['paused'])
})
