import assert from 'node:assert/strict'
import {
  encodeCall,
  encodeJournalEntry,
  INVOCATION_STATES,
  type InvocationState,
  isFinalState,
  type JournalEntry,
} from '@posthaste/core'
import fc from 'fast-check'
import t from 'tap'
import type { InvocationView } from '../src/index.js'
import { holds } from './property.js'
import { callOf, Feeder, NOW_MS, openView, type Told } from './view-harness.js'

// What the logs say, in whatever order they are read, cut into whatever batches, and said again: it comes to what is
// found by looking at all of it at once. Here the logs say what no listener would, too.

const IDS = ['01908a3c-0000-7000-8000-000000000001', '01908a3c-0000-7000-8000-000000000002', 'order:1'] as const
const TARGETS: Readonly<Record<string, string>> = {
  [IDS[0]]: 'https://a/x',
  [IDS[1]]: 'https://a/y',
  [IDS[2]]: 'https://b/',
}
const none = new Uint8Array(0)

interface OnCalls {
  readonly log: 'calls'
  readonly id: string
  readonly generation: number
  readonly attempt: number
  readonly move: number
  readonly notBeforeMs: number
  readonly appendedAtMs: number
}

interface OnJournal {
  readonly log: 'journal'
  readonly id: string
  readonly generation: number
  readonly attempt: number
  readonly state: JournalEntry['state']
  readonly atMs: number
  readonly nextAttemptAtMs: number
}

const time = fc.integer({ min: NOW_MS, max: NOW_MS + 9 })
const turn = {
  id: fc.constantFrom(...IDS),
  generation: fc.integer({ min: 1, max: 3 }),
  attempt: fc.integer({ min: 1, max: 3 }),
}
const journalState = fc.constantFrom(...INVOCATION_STATES.filter((state) => state !== 'queued'))
const onCalls: fc.Arbitrary<OnCalls> = fc.record({
  ...{ log: fc.constant('calls' as const), ...turn, move: fc.integer({ min: 0, max: 1 }) },
  ...{ notBeforeMs: time, appendedAtMs: time },
})
const onJournal: fc.Arbitrary<OnJournal> = fc.record({
  ...{ log: fc.constant('journal' as const), ...turn, state: journalState as fc.Arbitrary<JournalEntry['state']> },
  ...{ atMs: time, nextAttemptAtMs: time },
})

/** The third turn is always ended without a call. */
const isAttempted = ({ attempt }: OnJournal): boolean => attempt < 3

/** Records of both logs, and how they are read: which log comes next, how many of it, and what is read again. */
const readings = fc.record({
  calls: fc.array(onCalls, { maxLength: 12 }),
  journal: fc.array(onJournal, { maxLength: 12 }),
  cuts: fc.array(fc.record({ calls: fc.nat(4), journal: fc.nat(4), again: fc.nat(6) }), { maxLength: 12 }),
})

function told(record: OnCalls | OnJournal): Told {
  const call = callOf(record.id, {
    generation: record.generation,
    attempt: record.attempt,
    target: TARGETS[record.id] as string,
  })
  if (record.log === 'calls') {
    const { appendedAtMs, move, notBeforeMs } = record
    return { key: call.id, value: encodeCall({ ...call, move, notBeforeMs }), appendedAtMs }
  }
  const { atMs, nextAttemptAtMs, state } = record
  const attempted = isAttempted(record) && { startedAtMs: atMs, durationMs: 1, listener: 'l' }
  const entry = { ...call, atMs, state, nextAttemptAtMs, responseBody: none, record: none, ...attempted }
  return { key: call.id, value: encodeJournalEntry(entry) }
}

interface Expected {
  readonly id: string
  readonly state: InvocationState
  readonly generation: number
  readonly dueMs: number | undefined
  readonly endedAtMs: number | undefined
  readonly attempts: readonly string[]
}

/** What is to be shown of one, from all that is said of it; undefined if nothing is. */
function expectedOf(id: string, calls: readonly OnCalls[], journal: readonly OnJournal[]): Expected | undefined {
  if (calls.length + journal.length === 0) return undefined
  const isNote = ({ state }: OnJournal) => state === 'scheduled' || state === 'running'
  const notes = journal.filter(isNote)
  // The first entry for a turn counts.
  const entries = journal.filter(
    (one, index) => !isNote(one) && journal.findIndex((other) => !isNote(other) && isSameTurn(one, other)) === index,
  )
  const generation = Math.max(...[...calls, ...journal].map((one) => one.generation))
  const attempts = entries
    .filter(isAttempted)
    .map((one) => `${one.generation}/${one.attempt}`)
    .sort()
  const end = entries.find((one) => one.generation === generation && isFinalState(one.state))
  const shown = { id, generation, attempts }
  if (end) return { ...shown, state: end.state, dueMs: undefined, endedAtMs: end.atMs }
  // Where it waits: each with an attempt, a move, and when it came or is due.
  const waits = [
    ...calls.map((one) => ({
      ...one,
      cameMs: one.notBeforeMs <= one.appendedAtMs ? one.appendedAtMs : 0,
      dueMs: one.notBeforeMs <= one.appendedAtMs ? 0 : one.notBeforeMs,
      ranMs: 0,
    })),
    ...entries.map((one) => ({
      ...one,
      attempt: one.attempt + 1,
      move: 0,
      cameMs: 0,
      dueMs: one.nextAttemptAtMs,
      ranMs: 0,
    })),
    ...notes.map((one) => ({
      ...one,
      move: 0,
      cameMs: 0,
      dueMs: one.state === 'scheduled' ? one.nextAttemptAtMs : 0,
      ranMs: one.state === 'running' ? one.atMs : 0,
    })),
  ].filter((one) => one.generation === generation)
  const attempt = Math.max(...waits.map((one) => one.attempt))
  const last = waits.filter((one) => one.attempt === attempt)
  const moved = last.filter(({ move }) => move === Math.max(...last.map((one) => one.move)))
  const ranMs = Math.max(...last.map((one) => one.ranMs))
  const [cameMs, dueMs] = [Math.max(...moved.map((one) => one.cameMs)), Math.max(...moved.map((one) => one.dueMs))]
  const state =
    ranMs > 0 && ranMs >= cameMs ? 'running' : dueMs <= cameMs ? 'queued' : attempt > 1 ? 'retrying' : 'scheduled'
  return {
    ...shown,
    state,
    dueMs: state === 'retrying' || state === 'scheduled' ? dueMs : undefined,
    endedAtMs: undefined,
  }
}

function isSameTurn(one: OnJournal, other: OnJournal): boolean {
  return one.generation === other.generation && one.attempt === other.attempt
}

function foundIn(view: InvocationView, id: string): Expected | undefined {
  const found = view.get(id)
  if (!found) return undefined
  const { endedAtMs, generation, nextAttemptAtMs, state } = found
  const attempts = found.attempts.map((one) => `${one.generation}/${one.attempt}`)
  return { id, state, generation, dueMs: nextAttemptAtMs, endedAtMs, attempts }
}

t.test('any records, in any batches, with repeats', async (t) => {
  const { view } = openView(t)
  await holds(t, 'what is said comes to what is shown', 300, readings, async ({ calls, cuts, journal }) => {
    await view.clear()
    const feeder = new Feeder(view)
    const logs = { calls: calls.map(told), journal: journal.map(told) }
    const read = { calls: 0, journal: 0 }
    for (const { again, ...more } of [...cuts, { calls: calls.length, journal: journal.length, again: 0 }]) {
      const batch = { calls: [] as Told[], journal: [] as Told[] }
      for (const log of ['calls', 'journal'] as const) {
        // A little that was read before, in its order, then what is new.
        batch[log] = logs[log].slice(Math.max(0, read[log] - again), read[log] + more[log])
        read[log] = Math.min(read[log] + more[log], logs[log].length)
      }
      await feeder.apply(batch)
    }
    const expected = IDS.map((id) =>
      expectedOf(
        id,
        calls.filter((one) => one.id === id),
        journal.filter((one) => one.id === id),
      ),
    )
    assert.deepEqual(
      IDS.map((id) => foundIn(view, id)),
      expected,
    )
    const known = expected.filter((one) => one !== undefined)
    for (const state of INVOCATION_STATES) {
      const ids = known.filter((one) => one.state === state).map(({ id }) => id)
      assert.equal(view.counts().byState[state], ids.length)
      assert.deepEqual(
        view
          .list({ limit: 9, states: [state] })
          .items.map(({ id }) => id)
          .sort(),
        ids.sort(),
      )
    }
    assert.equal(
      view.list({ limit: 9, target: 'https://a' }).items.length,
      known.filter(({ id }) => id !== 'order:1').length,
    )
    assert.equal(
      view.counts().queuedSinceMs === undefined,
      known.every(({ state }) => state !== 'queued'),
    )
    const due = known.map(({ dueMs }) => dueMs).filter((ms) => ms !== undefined)
    assert.equal(view.counts().nextDueAtMs, due.length > 0 ? Math.min(...due) : undefined)
  })
})
