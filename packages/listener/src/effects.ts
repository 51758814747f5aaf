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
  type Outcome,
  outcomeOf,
  type RetryPolicy,
} from '@posthaste/core'
import type { Effects, NewRecord, NewTimer, StoredRecord, Turn } from '@posthaste/stream'

/** What an attempt or a decision came to, and what follows from it. */
export interface Ending {
  readonly state: JournalEntry['state']
  readonly failure?: Failure
  readonly effects: Effects
}

/** What follows from an attempt that was made. */
export function endAttempt(
  call: Call,
  record: StoredRecord,
  outcome: Outcome,
  retry: RetryPolicy,
  nowMs: number,
  random: number,
): Ending {
  const policy = call.retry ? { ...retry, ...call.retry } : retry
  const sequel = decideSequel(call, outcome, policy, nowMs, random)
  if (sequel.state !== 'retrying') {
    return endInvocation(call, record, sequel.state, 'failure' in sequel ? sequel.failure : undefined, outcome, nowMs)
  }
  const { state, failure, dueMs, next } = sequel
  const entry = journalEntryOf(call, { atMs: nowMs, state, failure, nextAttemptAtMs: dueMs }, outcome)
  return {
    state,
    failure,
    effects: { timers: [timerOf(next, dueMs)], journal: [journalRecord(entry)] },
  }
}

/** What follows from a final state: the journal entry, with the record if it is a dead letter, and the forward. */
export function endInvocation(
  call: Call,
  record: StoredRecord,
  state: FinalState,
  failure: Failure | undefined,
  outcome: Outcome | undefined,
  nowMs: number,
): Ending {
  const { forwardTo } = call
  const forward = forwardTo === undefined ? undefined : forwardOf({ ...call, forwardTo }, state, outcome, nowMs)
  const what: Happening = { atMs: nowMs, state }
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
    const next = { ...call, attempt: call.attempt + 1, notBeforeMs: nextAttemptAtMs }
    return { again: true, timers: [timerOf(next, nextAttemptAtMs)] }
  }
  const { forwardTo } = call
  if (forwardTo === undefined || !forward || !('id' in forward)) return {}
  const child = forwardOf({ ...call, forwardTo }, state, outcomeOf(entry), atMs)
  return child ? { again: true, children: [callRecord(child)] } : {}
}

/** The dead letter for a record that cannot be called at all: its bytes, as many as fit. */
export function endUnreadable(record: StoredRecord, failure: Failure, recordBytesMax: number, nowMs: number): Ending {
  const kept = record.value.subarray(0, recordBytesMax)
  const cut =
    kept.length < record.value.length ? ` Only the first ${kept.length} of ${record.value.length} bytes are kept.` : ''
  const entry: JournalEntry = {
    id: unreadableId(record),
    generation: 1,
    attempt: 1,
    atMs: nowMs,
    acceptedAtMs: record.appendedAtMs,
    state: 'failed',
    failure: { ...failure, detail: failure.detail + cut },
    responseBody: new Uint8Array(0),
    record: kept,
  }
  return { state: 'failed', failure, effects: { journal: [journalRecord(entry)] } }
}

/** What cannot be read has no id of its own: it is the record that is meant. */
export function unreadableId({ appendedAtMs, log, offset, partition }: StoredRecord): string {
  return deriveId(appendedAtMs, log, partition, offset)
}

function journalRecord(entry: JournalEntry): NewRecord {
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
