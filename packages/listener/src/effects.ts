import {
  type Call,
  decideSequel,
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
  type RetryPolicy,
} from '@posthaste/core'
import type { Effects, NewRecord, StoredRecord } from '@posthaste/stream'

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
    effects: { timers: [{ key: call.id, dueMs, value: encodeCall(next) }], journal: [journalRecord(entry)] },
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
  const effects = forward ? { children: [{ key: forward.id, value: encodeCall(forward) }], journal } : { journal }
  return failure ? { state, failure, effects } : { state, effects }
}

/** The dead letter for a record that cannot be called at all: its bytes, as many as fit. */
export function endUnreadable(record: StoredRecord, failure: Failure, recordBytesMax: number, nowMs: number): Ending {
  const kept = record.value.subarray(0, recordBytesMax)
  const cut =
    kept.length < record.value.length ? ` Only the first ${kept.length} of ${record.value.length} bytes are kept.` : ''
  const entry: JournalEntry = {
    id: deriveId(record.appendedAtMs, record.log, record.partition, record.offset),
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

function journalRecord(entry: JournalEntry): NewRecord {
  return { key: entry.id, value: encodeJournalEntry(entry) }
}
