import {
  type Admission,
  type Call,
  type DecodedCall,
  decideAdmission,
  decodeCall,
  type EgressPolicy,
  type ErrorCode,
  type Failure,
  isFunctionUrl,
  PosthasteError,
  targetRefused,
} from '@posthaste/core'
import type { StoredRecord, Turn } from '@posthaste/stream'
import { policyFor } from './call-terms.js'
import {
  type BirthOptions,
  type Ending,
  endInvocation,
  endTooLarge,
  endUnreadable,
  type Stamp,
  turnOf,
  unreadableId,
} from './effects.js'
import type { ListenerOptions } from './listener-options.js'

/** What a record that was pulled says. */
export type Reading =
  | { readonly kind: 'call'; readonly decoded: DecodedCall }
  | { readonly kind: 'too-large'; readonly decoded: DecodedCall; readonly ending: Ending }
  | { readonly kind: 'unreadable'; readonly ending: Ending }
  /** Only a newer version can read it, or whoever has its key: nothing may pass it. */
  | { readonly kind: 'newer'; readonly code: ErrorCode; readonly reason: string }

/** What this version can decide. */
export type Readable = Exclude<Reading, { kind: 'newer' }>

/** Reads a record, whoever wrote it. What cannot be called becomes a dead letter. */
export function read(record: StoredRecord, options: BirthOptions, stamp: Stamp): Reading {
  const { recordBytesMax } = options
  try {
    const decoded = decodeCall(record.value, record)
    if (record.value.length <= recordBytesMax) return { kind: 'call', decoded }
    return { kind: 'too-large', decoded, ending: endTooLarge(decoded.call, record, options, stamp) }
  } catch (error) {
    if (!(error instanceof PosthasteError)) throw error
    const { code } = error
    if (code === 'record-version' || code === 'sealed') return { kind: 'newer', code, reason: error.message }
    const failure: Failure = { code, detail: error.message }
    return { kind: 'unreadable', ending: endUnreadable(record, failure, recordBytesMax, stamp) }
  }
}

export interface AdmitOptions extends Pick<ListenerOptions, 'clock' | 'functions' | 'retry'> {
  readonly egress: EgressPolicy
}

/** Decides what is to be done now with a call that was pulled. Whoever wrote it may not have asked what may be called. */
export function admit(call: Call, options: AdmitOptions): Admission | { readonly kind: 'refuse' } {
  const admission = decideAdmission(call, policyFor(call, options), options.clock.now())
  // A function that is not there may come yet, as the file that names it.
  const isRefused = !isFunctionUrl(call.target) && !options.egress.allowsUrl(call.target)
  return admission.kind === 'call' && isRefused ? { kind: 'refuse' } : admission
}

/** What follows for a call whose time ran out before it was made. */
export function endExpired(call: Call, record: StoredRecord, options: BirthOptions, stamp: Stamp): Ending {
  const failure: Failure = { code: 'expired', detail: 'Its time had run out before it was called.' }
  return endInvocation(call, record, { state: 'expired', failure }, options, stamp)
}

/** What follows for a call that may not be made. */
export function endRefused(call: Call, record: StoredRecord, options: BirthOptions, stamp: Stamp): Ending {
  const { code, message } = targetRefused()
  return endInvocation(call, record, { state: 'failed', failure: { code, detail: message } }, options, stamp)
}

/** The turn of a record. */
export function turnOfReading(record: StoredRecord, reading: Readable): Turn {
  return reading.kind === 'unreadable' ? { key: unreadableId(record) } : turnOf(reading.decoded.call)
}
