import { type Call, decodeCall, decodeDirective, decodeJournalEntry, encodeCall } from '@posthaste/core'
import type { NewRecord, NewTimer } from '@posthaste/stream'
import t from 'tap'
import {
  callOf,
  cancelEffects,
  cancelUnknownEffects,
  controlRecord,
  done,
  moveEffects,
  tooLate,
  whileRunning,
  withoutRecord,
} from '../src/directive-effects.js'
import { directiveFor } from './asking.js'

const NOW_MS = Date.parse('2026-06-01T12:00:00.123Z')
const DAY_MS = 86_400_000
const STAMP = { atMs: NOW_MS, listener: 'here' }

const call: Call = {
  id: 'an-id',
  generation: 2,
  attempt: 3,
  acceptedAtMs: NOW_MS - 10_000,
  depth: 0,
  target: 'http://127.0.0.1:9/a?b=c',
  method: 'POST',
  headers: { 'x-a': '1' },
  body: Buffer.from('a body'),
  forwardTo: 'http://127.0.0.1:9/done',
}
const TURN = { key: 'an-id', generation: 2, attempt: 3 }
const move = directiveFor(call, { kind: 'move', dueMs: NOW_MS + 5 })
const cancel = directiveFor(call, { kind: 'cancel' })

const readCall = (value: Uint8Array): Call =>
  decodeCall(value, { log: 'calls', partition: 0, offset: 0, appendedAtMs: NOW_MS }).call

t.test('what is moved is the same call, and says which directive moved it', async (t) => {
  const { control, journal, notes, timers } = moveEffects({ ...call, move: 1, notBeforeMs: 1 }, move, STAMP)
  t.strictSame([control, journal], [undefined, undefined])
  const [timer] = timers as [NewTimer]
  t.match(timer, { ...TURN, dueMs: NOW_MS + 5 })
  const { body, ...same } = call
  t.match(readCall(timer.value), { ...same, move: move.number, notBeforeMs: NOW_MS + 5 })
  t.equal(String(readCall(timer.value).body), String(body))
  const [note] = notes as [NewRecord]
  t.match(note, TURN)
  t.match(decodeJournalEntry(note.value), { state: 'scheduled', nextAttemptAtMs: NOW_MS + 5, listener: 'here' })
  t.strictSame(Buffer.from(decodeJournalEntry(note.value).record), Buffer.from(timer.value))
})

t.test('what is cancelled is told of by the journal alone', async (t) => {
  const { effects, state } = cancelEffects(call, Buffer.from('the record'), STAMP)
  t.equal(state, 'cancelled')
  t.strictSame(Object.keys(effects), ['journal'])
  const [known] = effects.journal as [NewRecord]
  const [unknown] = cancelUnknownEffects({ ...cancel, tenant: 'acme' }, STAMP).journal as [NewRecord]
  for (const { value, ...turn } of [known, unknown]) {
    t.strictSame(turn, TURN)
    const { failure, listener, startedAtMs, state } = decodeJournalEntry(value)
    t.strictSame([state, failure?.code, listener, startedAtMs], ['cancelled', 'cancelled', 'here', undefined])
  }
  t.equal(String(decodeJournalEntry(known.value).record), 'the record')
  t.equal(decodeJournalEntry(unknown.value).tenant, 'acme')
})

t.test('the call of a directive is of the turn that was meant, whatever its record says', async (t) => {
  t.match(callOf({ ...move, attempt: 4 }), { id: 'an-id', generation: 2, attempt: 4, headers: { 'x-a': '1' } })
  const foreign = Buffer.from('{"target": "http://127.0.0.1:9/"}')
  t.match(callOf({ ...move, record: foreign }), { id: 'an-id', generation: 2, attempt: 3, method: 'POST' })
  for (const record of [Buffer.alloc(0), Buffer.from('no call')]) t.equal(callOf({ ...move, record }), undefined)
  t.match(callOf({ ...move, record: encodeCall({ ...call, id: 'other' }) }), { id: 'an-id' })
})

t.test('what is done says so, and is small', async (t) => {
  const { key, value } = controlRecord(done(move))
  t.equal(key, 'an-id move')
  t.match(decodeDirective(value), { isDone: true, number: move.number, record: { length: 0 } })
  t.equal(decodeDirective(value).tooLate, undefined)
  t.ok((tooLate(move).tooLate as number) < move.number)
})

t.test('a move of a call that runs leaves that as it is', async (t) => {
  t.match(whileRunning(move, call), { isDone: true, tooLate: 0 })
  t.match(whileRunning(move, { ...call, move: 7 }), { isDone: true, tooLate: 7 }, 'moved before')
  const moved = whileRunning(move, { ...call, move: move.number })
  t.strictSame([moved?.isDone, moved?.tooLate], [true, undefined], 'moved by this one')
  for (const later of [{ attempt: 4 }, { generation: 3, attempt: 1 }])
    t.equal(whileRunning(move, { ...call, ...later })?.tooLate, move.number - 1, 'its attempt has ended')
  t.equal(whileRunning(move, { ...call, attempt: 2 }), undefined, 'its attempt is still to come')
})

t.test('a directive is kept long only while another record is due', async (t) => {
  const due = { ...cancel, untilMs: NOW_MS + 30 * DAY_MS }
  t.equal(withoutRecord(due, 5_000, NOW_MS).untilMs, NOW_MS + 605_000)
  const later = { ...due, untilMs: due.untilMs + 1 }
  t.equal(withoutRecord(later, 5_000, NOW_MS), later)
  const soon = withoutRecord(due, 5_000, NOW_MS)
  t.equal(withoutRecord(soon, 5_000, NOW_MS + 60_000).untilMs, soon.untilMs, 'and not longer for a copy')
})
