import type { Call, Directive } from '@posthaste/core'
import { directiveKey, encodeDirective } from '@posthaste/core'
import type { StoredRecord } from '@posthaste/stream'
import t from 'tap'
import { Directives } from '../src/directives.js'
import { directiveFor } from './asking.js'

const DAY_MS = 86_400_000

const call: Call = {
  id: 'order-42',
  generation: 1,
  attempt: 1,
  acceptedAtMs: Date.now(),
  depth: 0,
  target: 'http://a/',
  method: 'POST',
  headers: {},
  body: Buffer.alloc(0),
}

interface Kept {
  readonly directives: Directives
  readonly pass: (ms: number) => void
}

function keep(): Kept {
  let passedMs = 0
  const clock = { now: () => Date.now() + passedMs }
  return {
    directives: new Directives({ clock, actAfterMs: 0 }),
    pass: (ms) => {
      passedMs += ms
    },
  }
}

function recordOf(directive: Directive): StoredRecord {
  return stored(directiveKey(directive), encodeDirective(directive))
}

function numbersOf(directives: readonly Directive[]): number[] {
  return directives.map(({ number }) => number)
}

function stored(key: string, value: Uint8Array): StoredRecord {
  return { log: 'control', partition: 0, offset: 0, key, value, appendedAtMs: 0 }
}

t.test('a call of which nothing is asked is made', async (t) => {
  const { directives } = keep()
  directives.note(directiveFor({ ...call, id: 'another' }, { kind: 'cancel' }))
  t.equal(directives.orderFor(call), 'call')
})

t.test('what is asked is done once', async (t) => {
  const { directives } = keep()
  for (const [kind, order] of [
    ['move', 'move'],
    ['cancel', 'cancel'],
  ] as const) {
    const directive = directiveFor(call, { kind, dueMs: Date.now() })
    directives.read(recordOf(directive))
    t.strictSame([directives.orderFor(call), directives.open.size], [order, 1])
    directives.read(recordOf({ ...directive, isDone: true }))
    t.strictSame([directives.orderFor(call), directives.open.size], ['drop', 0])
    directives.read(recordOf(directive))
    t.strictSame([directives.orderFor(call), directives.open.size], ['drop', 0], 'what is done stays so')
  }
})

t.test('what comes while somebody acts on it waits', async (t) => {
  const { directives } = keep()
  directives.note(directiveFor(call, { kind: 'cancel' }))
  const asked = directives.find(call.id)
  if (asked) asked.isBusy = true
  t.equal(directives.orderFor(call), 'wait')
})

t.test('what an older one of its kind took the place of is put right on the log', async (t) => {
  const { directives } = keep()
  const older = directiveFor(call, { kind: 'move', dueMs: Date.now() })
  const newer = directiveFor(call, { kind: 'move', dueMs: Date.now() })
  directives.read(recordOf(newer))
  t.strictSame(directives.buried(9), [])
  directives.read(recordOf(older))
  t.strictSame(numbersOf(directives.buried(9)), [newer.number])
  directives.read(recordOf(newer))
  t.strictSame(directives.buried(9), [], 'it is there again')
  directives.read(stored(directiveKey(newer), new Uint8Array(0)))
  t.strictSame(numbersOf(directives.buried(9)), [newer.number], 'its time is not over')
})

t.test('a cancellation and a move have places of their own, and the cancellation counts', async (t) => {
  const cancel = directiveFor(call, { kind: 'cancel', isDone: true })
  const move = directiveFor(call, { kind: 'move', dueMs: Date.now() })
  for (const order of [
    [cancel, move],
    [move, cancel],
  ]) {
    const { directives } = keep()
    for (const directive of order) directives.read(recordOf(directive))
    t.strictSame([directives.orderFor(call), directives.open.size, directives.buried(9)], ['drop', 0, []])
  }
})

t.test('a cancellation is kept as long as a move that it came upon', async (t) => {
  const { directives, pass } = keep()
  const dueMs = Date.now() + 40 * DAY_MS
  const move = directiveFor(call, { kind: 'move', dueMs, isDone: true })
  const moved = { ...call, move: move.number, notBeforeMs: dueMs }
  // Whoever cancelled it did not know that it was moved.
  for (const directive of [move, directiveFor(call, { kind: 'cancel', isDone: true })])
    directives.read(recordOf(directive))
  pass(60 * DAY_MS)
  t.strictSame([directives.forgetSome(9), directives.orderFor(moved)], [[], 'drop'])
  pass(11 * DAY_MS)
  t.strictSame(directives.forgetSome(9), [`${call.id} move`, call.id], 'both places are made free')
})

t.test('what is past its time is forgotten, and what is removed', async (t) => {
  const { directives, pass } = keep()
  const due = directiveFor(call, { kind: 'cancel', isDone: true })
  const late = directiveFor({ ...call, id: 'b', notBeforeMs: Date.now() + 20 * DAY_MS }, { kind: 'cancel' })
  directives.note(due)
  directives.note(late)
  pass(29 * DAY_MS)
  t.strictSame(directives.forgetSome(9), [])
  pass(2 * DAY_MS)
  t.strictSame(directives.forgetSome(9), [call.id])
  t.strictSame([directives.find(call.id), directives.open.size], [undefined, 1])
  pass(20 * DAY_MS)
  directives.read(stored('b', new Uint8Array(0)))
  t.strictSame([directives.find('b'), directives.open.size], [undefined, 0])
})

t.test('no more are forgotten at once than were asked for, and none that is acted on', async (t) => {
  const { directives, pass } = keep()
  for (const id of ['a', 'b', 'c']) directives.note(directiveFor({ ...call, id }, { kind: 'cancel' }))
  const busy = directives.find('a')
  if (busy) busy.isBusy = true
  pass(31 * DAY_MS)
  t.strictSame(directives.forgetSome(1), ['b'])
  t.strictSame(directives.forgetSome(9), ['c'])
})
