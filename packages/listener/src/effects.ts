import {
  type Call,
  decideSequel,
  decodeJournalEntry,
  deriveId,
  encodeCall,
  encodeJournalEntry,
  type Failure,
  type FinalState,
  forwardOf,
  type Happening,
  type JournalEntry,
  journalEntryOf,
  nextAttempt,
  type Outcome,
  outcomeOf,
  type RetryPolicy,
  type TurnEnd,
} from '@posthaste/core'
import type { Effects, NewRecord, NewTimer, StoredRecord, Turn } from '@posthaste/stream'

/** What an attempt or a decision came to, and what follows from it. */
export interface Ending {
  readonly state: TurnEnd
  readonly failure?: Failure
  readonly effects: Effects
}

/** Who writes to the journal, and when. */
export type Stamp = Pick<Happening, 'atMs' | 'listener'>

/** What of a record the journal keeps. */
type Kept = Pick<StoredRecord, 'value'>

/** What follows from an attempt that was made. */
export function endAttempt(
  call: Call,
  record: Kept,
  outcome: Outcome,
  retry: RetryPolicy,
  stamp: Stamp,
  random: number,
): Ending {
  const policy = call.retry ? { ...retry, ...call.retry } : retry
  const sequel = decideSequel(call, outcome, policy, stamp.atMs, random)
  if (sequel.state !== 'retrying') {
    return endInvocation(call, record, sequel.state, 'failure' in sequel ? sequel.failure : undefined, outcome, stamp)
  }
  const { state, failure, dueMs, next } = sequel
  const entry = journalEntryOf(call, { ...stamp, state, failure, nextAttemptAtMs: dueMs }, outcome)
  return {
    state,
    failure,
    effects: { timers: [timerOf(next, dueMs)], journal: [journalRecord(entry)] },
  }
}

/**
 * What follows from a final state: the journal entry, with the record if it did not succeed, and the forward. Of what was
 * cancelled nobody is told: nobody waits for it.
 */
export function endInvocation(
  call: Call,
  record: Kept,
  state: FinalState,
  failure: Failure | undefined,
  outcome: Outcome | undefined,
  stamp: Stamp,
): Ending {
  const forwardTo = state === 'cancelled' ? undefined : call.forwardTo
  const forward = forwardTo === undefined ? undefined : forwardOf({ ...call, forwardTo }, state, outcome, stamp.atMs)
  const what: Happening = { ...stamp, state }
  if (failure) what.failure = failure
  if (forwardTo !== undefined) what.forward = forward ? { id: forward.id } : { refused: 'depth-exceeded' }
  if (state !== 'succeeded') what.record = record.value
  const journal = [journalRecord(journalEntryOf(call, what, outcome))]
  const effects = forward ? { children: [callRecord(forward)], journal } : { journal }
  return failure ? { state, failure, effects } : { state, effects }
}

/**
 * What follows from a turn of `call` that the journal tells the end of: the same once more, for whoever recorded it may
 * not have come further.
 */
export function effectsAgain(call: Call, journalValue: Uint8Array): Effects {
  const entry = decodeJournalEntry(journalValue)
  const { atMs, forward, nextAttemptAtMs, state } = entry
  if (state === 'retrying') {
    if (nextAttemptAtMs === undefined) return {}
    return { again: true, timers: [timerOf(nextAttempt(call, nextAttemptAtMs), nextAttemptAtMs)] }
  }
  const { forwardTo } = call
  if (forwardTo === undefined || !forward || !('id' in forward)) return {}
  const child = forwardOf({ ...call, forwardTo }, state as FinalState, outcomeOf(entry), atMs)
  return child ? { again: true, children: [callRecord(child)] } : {}
}

/** The dead letter for a call whose record is too large to be made. */
export function endTooLarge(call: Call, record: StoredRecord, recordBytesMax: number, stamp: Stamp): Ending {
  const detail = `The record has ${record.value.length} bytes; ${recordBytesMax} are the limit.`
  const { failure, kept } = cutTo(recordBytesMax, record, { code: 'too-large', detail })
  return endInvocation(call, { value: kept }, 'failed', failure, undefined, stamp)
}

/** The dead letter for a record that cannot be read at all. */
export function endUnreadable(record: StoredRecord, reason: Failure, recordBytesMax: number, stamp: Stamp): Ending {
  const { failure, kept } = cutTo(recordBytesMax, record, reason)
  const entry: JournalEntry = {
    ...stamp,
    id: unreadableId(record),
    generation: 1,
    attempt: 1,
    acceptedAtMs: record.appendedAtMs,
    state: 'failed',
    failure,
    responseBody: new Uint8Array(0),
    record: kept,
  }
  return { state: 'failed', failure, effects: { journal: [journalRecord(entry)] } }
}

/** What cannot be read has no id of its own: it is the record that is meant. */
export function unreadableId({ appendedAtMs, log, offset, partition }: StoredRecord): string {
  return deriveId(appendedAtMs, log, partition, offset)
}

/** As many bytes of a record as a dead letter has room for; the failure says so if these are not all. */
function cutTo(bytesMax: number, { value }: StoredRecord, failure: Failure): { kept: Uint8Array; failure: Failure } {
  if (value.length <= bytesMax) return { kept: value, failure }
  const detail = `${failure.detail} Only the first ${bytesMax} of ${value.length} bytes are kept.`
  return { kept: value.subarray(0, bytesMax), failure: { ...failure, detail } }
}

/** Tells that a call waits on the timers. */
export function scheduledNote(call: Call, timer: NewTimer, stamp: Stamp): NewRecord {
  const what: Happening = { ...stamp, state: 'scheduled', nextAttemptAtMs: timer.dueMs, record: timer.value }
  return journalRecord(journalEntryOf(call, what, undefined))
}

/** Tells that a call is being made. */
export function runningNote(call: Call, startedAtMs: number, stamp: Stamp): NewRecord {
  return journalRecord(journalEntryOf(call, { ...stamp, state: 'running', startedAtMs }, undefined))
}

export function journalRecord(entry: JournalEntry): NewRecord {
  return { ...turnOf(entry), value: encodeJournalEntry(entry) }
}

function callRecord(call: Call): NewRecord {
  return { ...turnOf(call), value: encodeCall(call) }
}

/** `call`, to come back at a time. `value` is its record, where that is as good as a new one. */
export function timerOf(call: Call, dueMs: number, value = encodeCall(call)): NewTimer {
  return { ...turnOf(call), dueMs, value }
}

export function turnOf({ attempt, generation, id }: Pick<Call, 'attempt' | 'generation' | 'id'>): Turn {
  return { key: id, generation, attempt }
}
