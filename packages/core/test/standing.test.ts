import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import {
  type Directive,
  encodeCall,
  encodeJournalEntry,
  type JournalEntry,
  joinStandings,
  peekJournal,
  type Standing,
  standingOfCall,
  standingOfDirective,
  standingOfEntry,
  stateOf,
} from '../src/index.js'
import { NOW_MS } from './arbitraries.js'
import { holds } from './property.js'

const call = {
  id: 'a',
  generation: 1,
  attempt: 1,
  acceptedAtMs: NOW_MS,
  depth: 0,
  target: 'http://a/',
  method: 'POST',
  headers: {},
  body: Buffer.from('body'),
}
const directive: Directive = {
  ...{ id: 'a', generation: 1, attempt: 1, kind: 'move', number: 7, isDone: true },
  ...{ askedAtMs: NOW_MS, dueMs: NOW_MS + 900, untilMs: NOW_MS + 1e9, record: new Uint8Array(0) },
}
const none = new Uint8Array(0)

function told(entry: Partial<JournalEntry>): Standing {
  const whole = { ...call, atMs: NOW_MS, state: 'succeeded' as const, responseBody: none, record: none, ...entry }
  const value = encodeJournalEntry(whole)
  const peek = peekJournal(value)
  assert.ok(peek)
  return standingOfEntry(peek, value)
}

/** The state after all of these, in this order. */
function after(...standings: readonly (Standing | undefined)[]) {
  const known = standings.filter((standing) => standing !== undefined)
  const { attempt, dueMs, generation, ...rest } = known.reduce(joinStandings)
  const state = stateOf({ attempt, dueMs, generation, ...rest })
  return [state, generation, attempt, ...(state === 'scheduled' || state === 'retrying' ? [dueMs - NOW_MS] : [])]
}

t.test('a call is queued, or scheduled until it comes at its time', async (t) => {
  t.strictSame(after(standingOfCall(call, NOW_MS)), ['queued', 1, 1])
  const deferred = { ...call, notBeforeMs: NOW_MS + 500 }
  t.strictSame(after(standingOfCall(deferred, NOW_MS)), ['scheduled', 1, 1, 500])
  t.strictSame(after(standingOfCall(deferred, NOW_MS), standingOfCall(deferred, NOW_MS + 500)), ['queued', 1, 1])
})

t.test('what is retrying is queued once the record of its retry is on calls', async (t) => {
  const retrying = told({ state: 'retrying', attempt: 2, nextAttemptAtMs: NOW_MS + 100 })
  const queued = standingOfCall(call, NOW_MS)
  t.strictSame(after(queued, retrying), ['retrying', 1, 3, 100])
  const retry = { ...call, attempt: 3, notBeforeMs: NOW_MS + 100 }
  t.strictSame(after(queued, retrying, standingOfCall(retry, NOW_MS + 120)), ['queued', 1, 3])
})

t.test('what runs, and comes once more, was given up', async (t) => {
  const queued = standingOfCall(call, NOW_MS)
  const running = told({ state: 'running', atMs: NOW_MS + 10 })
  t.strictSame(after(queued, running), ['running', 1, 1])
  t.strictSame(after(queued, running, standingOfCall(call, NOW_MS + 20)), ['queued', 1, 1])
})

t.test('a moved attempt waits for its new time, and the record that it replaces says nothing', async (t) => {
  const deferred = { ...call, notBeforeMs: NOW_MS + 500 }
  const record = encodeCall({ ...call, move: 7, notBeforeMs: NOW_MS + 900 })
  const note = told({ state: 'scheduled', nextAttemptAtMs: NOW_MS + 900, record })
  const [first, old] = [standingOfCall(deferred, NOW_MS), standingOfCall(deferred, NOW_MS + 500)]
  t.strictSame(after(first, note), ['scheduled', 1, 1, 900])
  t.strictSame(after(first, note, old), ['scheduled', 1, 1, 900])
  t.strictSame(after(first, old, standingOfDirective(directive)), ['scheduled', 1, 1, 900], 'if the note is lost')
  const moved = standingOfCall({ ...call, move: 7, notBeforeMs: NOW_MS + 900 }, NOW_MS + 900)
  t.strictSame(after(first, note, old, moved), ['queued', 1, 1])
  t.strictSame(after(moved, told({ state: 'running' })), ['queued', 1, 1], 'it ran before')
  t.strictSame(after(moved, told({ state: 'running', atMs: NOW_MS + 950 })), ['running', 1, 1])
})

t.test('directives that changed nothing tell nothing', async (t) => {
  t.equal(standingOfDirective({ ...directive, isDone: false }), undefined)
  t.equal(standingOfDirective({ ...directive, tooLate: 0 }), undefined)
  t.equal(standingOfDirective({ ...directive, kind: 'cancel' }), undefined)
})

t.test('the first end of a generation counts, and the next generation goes on', async (t) => {
  const queued = standingOfCall(call, NOW_MS)
  const ends = [told({ state: 'expired' }), told({ state: 'succeeded', attempt: 2 })]
  t.strictSame(after(queued, ...ends, standingOfCall({ ...call, attempt: 3 }, NOW_MS + 9)), ['expired', 1, 1])
  t.strictSame(after(standingOfCall({ ...call, generation: 2 }, NOW_MS), ...ends), ['queued', 2, 1])
})

const time = fc.integer({ min: NOW_MS, max: NOW_MS + 5 })
const turn = fc.record({ generation: fc.integer({ min: 1, max: 2 }), attempt: fc.integer({ min: 1, max: 2 }) })
const anyStanding: fc.Arbitrary<Standing> = fc.oneof(
  fc
    .tuple(turn, time, time, fc.integer({ min: 0, max: 1 }))
    .map(([at, notBeforeMs, ms, move]) => standingOfCall({ ...call, ...at, notBeforeMs, move }, ms)),
  fc
    .tuple(turn, time, time, fc.constantFrom('retrying', 'scheduled', 'running'))
    .map(([at, atMs, nextAttemptAtMs, state]) => told({ ...at, atMs, nextAttemptAtMs, state })),
)
/** At most one end, for of two the order decides. */
const anyEnd = fc.tuple(turn, time).map(([at, atMs]) => told({ ...at, atMs }))

t.test('the order does not matter, nor whether something is told again', async (t) => {
  const told = fc
    .tuple(fc.array(anyStanding, { minLength: 1, maxLength: 6 }), fc.option(anyEnd))
    .chain(([some, end]) => {
      const all = end ? [...some, end] : some
      const again = fc.shuffledSubarray([...all, ...all], { minLength: all.length })
      return fc.tuple(
        fc.constant(all),
        again.filter((list) => all.every((one) => list.includes(one))),
      )
    })
  holds(t, 'joining', 2_000, told, ([all, again]) => {
    assert.deepEqual(again.reduce(joinStandings), all.reduce(joinStandings))
  })
})
