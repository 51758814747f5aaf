import {
  type Births,
  birthsOf,
  type Call,
  childRecordBytesMax,
  decideSequel,
  decodeJournalEntry,
  deriveId,
  encodeCall,
  encodeJournalEntry,
  type Failure,
  type FinalState,
  type FunctionMap,
  type Happening,
  isTick,
  type JournalEntry,
  journalEntryOf,
  nextAttempt,
  type Outcome,
  redactedCall,
  resolveFunction,
  type TargetRule,
  type TurnEnd,
  withFunction,
} from '@posthaste/core'
import type { Effects, NewRecord, NewTimer, StoredRecord, Turn } from '@posthaste/stream'
import { functionsNow, policyFor, type TermsOptions } from './call-terms.js'

const NONE = new Uint8Array(0)

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

/** What holds for all calls of a listener. */
export type EndOptions = BirthOptions & TermsOptions

/** What holds for all that ends give rise to. */
export interface BirthOptions {
  /** By which it is decided what is blanked in what destinations are told. */
  readonly targetRules?: readonly TargetRule[]
  /** Those that there are now. */
  readonly functions?: () => FunctionMap
  /** The largest record that is called. */
  readonly recordBytesMax: number
}

/** What follows from an attempt that was made. */
export function endAttempt(
  call: Call,
  record: Kept,
  outcome: Outcome,
  options: EndOptions,
  stamp: Stamp,
  random: number,
): Ending {
  const sequel = decideSequel(call, outcome, policyFor(call, options), stamp.atMs, random)
  if (sequel.state !== 'retrying') return endInvocation(call, record, { ...sequel, outcome }, options, stamp)
  const { state, failure, dueMs, next } = sequel
  const what: Happening = { ...stamp, state, failure, nextAttemptAtMs: dueMs, sinceMs: next.sinceMs }
  const entry = journalEntryOf(call, what, outcome)
  return {
    state,
    failure,
    effects: { timers: [timerOf(next, dueMs)], journal: [journalRecord(entry)] },
  }
}

/** How an invocation ended, and the last attempt, if there was one. */
interface End {
  readonly state: FinalState
  readonly failure?: Failure
  readonly outcome?: Outcome
}

/** What follows from a final state: the journal entry, with the record if it did not succeed, and who is told. */
export function endInvocation(
  call: Call,
  record: Kept,
  { failure, outcome, state }: End,
  options: BirthOptions,
  stamp: Stamp,
): Ending {
  const what: Happening = { ...stamp, state }
  if (failure) what.failure = failure
  if (state !== 'succeeded') what.record = record.value
  const entry = journalEntryOf(call, what, outcome)
  const { calls, children } = births(call, entry, options)
  const journal = [journalRecord(Object.assign(entry, children))]
  const effects = calls.length > 0 ? { children: calls.map(callRecord), journal } : { journal }
  return failure ? { state, failure, effects } : { state, effects }
}

/**
 * What follows from a turn of `call` that the journal tells the end of: the same once more, for whoever recorded it may
 * not have come further.
 */
export function effectsAgain(call: Call, journalValue: Uint8Array, options: BirthOptions): Effects {
  const entry = decodeJournalEntry(journalValue)
  const { nextAttemptAtMs, response, state } = entry
  if (state === 'retrying') {
    if (nextAttemptAtMs === undefined) return {}
    const next = nextAttempt(call, nextAttemptAtMs, response !== undefined)
    return { again: true, timers: [timerOf(next, nextAttemptAtMs)] }
  }
  const { calls } = births(call, entry, options)
  return calls.length > 0 ? { again: true, children: calls.map(callRecord) } : {}
}

/** The dead letter for a call whose record is too large to be made. */
export function endTooLarge(call: Call, record: StoredRecord, options: BirthOptions, stamp: Stamp): Ending {
  const { recordBytesMax } = options
  const detail = `The record has ${record.value.length} bytes; ${recordBytesMax} are the limit.`
  // By its record a view knows of which schedule it is: without the body that can be read.
  const value = isTick(call) ? encodeCall({ ...call, body: NONE }) : record.value
  const { failure, kept } = cutTo(recordBytesMax, value, { code: 'too-large', detail })
  return endInvocation(call, { value: kept }, { state: 'failed', failure }, options, stamp)
}

/** The dead letter for a record that cannot be read at all. */
export function endUnreadable(record: StoredRecord, reason: Failure, recordBytesMax: number, stamp: Stamp): Ending {
  const { failure, kept } = cutTo(recordBytesMax, record.value, reason)
  const entry: JournalEntry = {
    ...stamp,
    id: unreadableId(record),
    generation: 1,
    attempt: 1,
    acceptedAtMs: record.appendedAtMs,
    state: 'failed',
    failure,
    responseBody: NONE,
    record: kept,
  }
  return { state: 'failed', failure, effects: { journal: [journalRecord(entry)] } }
}

/** What cannot be read has no id of its own: it is the record that is meant. */
export function unreadableId({ appendedAtMs, log, offset, partition }: StoredRecord): string {
  return deriveId(appendedAtMs, log, partition, offset)
}

function births(call: Call, entry: JournalEntry, options: BirthOptions): Births {
  const { recordBytesMax, targetRules = [] } = options
  const functions = functionsNow(options)
  const sent = resolveFunction(call, functions)
  const told = sent
    ? redactedCall(withFunction(call, functions), targetRules, sent.target)
    : withoutBody(call, targetRules)
  return birthsOf(told, entry, childRecordBytesMax(recordBytesMax))
}

/** Of a function that is not there nobody knows what is to be blanked. */
function withoutBody(call: Call, rules: readonly TargetRule[]): Call {
  return rules.some(({ redact }) => redact) ? { ...call, body: NONE } : call
}

/** As many bytes of a record as a dead letter has room for; the failure says so if these are not all. */
function cutTo(bytesMax: number, value: Uint8Array, failure: Failure): { kept: Uint8Array; failure: Failure } {
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

export function callRecord(call: Call): NewRecord {
  return { ...turnOf(call), value: encodeCall(call) }
}

/** `call`, to come back at a time. `value` is its record, where that is as good as a new one. */
export function timerOf(call: Call, dueMs: number, value = encodeCall(call)): NewTimer {
  return { ...turnOf(call), dueMs, value }
}

export function turnOf({ attempt, generation, id }: Pick<Call, 'attempt' | 'generation' | 'id'>): Turn {
  return { key: id, generation, attempt }
}
