import {
  type Admission,
  type Call,
  type DecodedCall,
  decideAdmission,
  decodeCall,
  type Failure,
  PosthasteError,
  policyOf,
} from '@posthaste/core'
import type { StoredRecord, Turn } from '@posthaste/stream'
import { type Ending, endInvocation, endTooLarge, endUnreadable, type Stamp, turnOf, unreadableId } from './effects.js'
import type { ListenerOptions } from './listener-options.js'

/** What a record that was pulled says. */
export type Reading =
  | { readonly kind: 'call'; readonly decoded: DecodedCall }
  | { readonly kind: 'too-large'; readonly decoded: DecodedCall; readonly ending: Ending }
  | { readonly kind: 'unreadable'; readonly ending: Ending }
  /** Only a newer version can read it: nothing may pass it. */
  | { readonly kind: 'newer'; readonly reason: string }

/** What this version can decide. */
export type Readable = Exclude<Reading, { kind: 'newer' }>

/** Reads a record, whoever wrote it. What cannot be called becomes a dead letter. */
export function read(record: StoredRecord, recordBytesMax: number, stamp: Stamp): Reading {
  try {
    const decoded = decodeCall(record.value, record)
    if (record.value.length <= recordBytesMax) return { kind: 'call', decoded }
    return { kind: 'too-large', decoded, ending: endTooLarge(decoded.call, record, { recordBytesMax }, stamp) }
  } catch (error) {
    if (!(error instanceof PosthasteError)) throw error
    if (error.code === 'record-version') return { kind: 'newer', reason: error.message }
    const failure: Failure = { code: error.code, detail: error.message }
    return { kind: 'unreadable', ending: endUnreadable(record, failure, recordBytesMax, stamp) }
  }
}

/** Decides what is to be done now with a call that was pulled. */
export function admit(call: Call, { clock, retry }: Pick<ListenerOptions, 'clock' | 'retry'>): Admission {
  return decideAdmission(call, policyOf(call.retry, retry), clock.now())
}

/** What follows for a call whose time ran out before it was made. */
export function endExpired(
  call: Call,
  record: StoredRecord,
  options: Pick<ListenerOptions, 'recordBytesMax'>,
  stamp: Stamp,
): Ending {
  const failure: Failure = { code: 'expired', detail: 'Its time had run out before it was called.' }
  return endInvocation(call, record, { state: 'expired', failure }, options, stamp)
}

/** The turn of a record. */
export function turnOfReading(record: StoredRecord, reading: Readable): Turn {
  return reading.kind === 'unreadable' ? { key: unreadableId(record) } : turnOf(reading.decoded.call)
}
