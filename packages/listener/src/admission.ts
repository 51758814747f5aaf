import {
  type Call,
  type Clock,
  type DecodedCall,
  decideAdmission,
  decodeCall,
  type Failure,
  PosthasteError,
} from '@posthaste/core'
import type { StoredRecord, Turn } from '@posthaste/stream'
import { type Ending, endInvocation, endUnreadable, turnOf, unreadableId } from './effects.js'

/** What to do with a record that was pulled. */
export type Admitted =
  | { readonly kind: 'call'; readonly decoded: DecodedCall }
  | { readonly kind: 'defer'; readonly decoded: DecodedCall; readonly dueMs: number }
  /** Without `decoded`, its record cannot be read. */
  | { readonly kind: 'end'; readonly decoded?: DecodedCall; readonly ending: Ending }
  /** Only a newer version can read it: nothing may pass it. */
  | { readonly kind: 'newer'; readonly reason: string }

/** What this version can decide. */
export type Readable = Exclude<Admitted, { kind: 'newer' }>

/** Reads a record, whoever wrote it, and decides. What cannot be called becomes a dead letter. */
export function admit(record: StoredRecord, recordBytesMax: number, nowMs: number): Admitted {
  const unreadable = (failure: Failure): Admitted => ({
    kind: 'end',
    ending: endUnreadable(record, failure, recordBytesMax, nowMs),
  })
  if (record.value.length > recordBytesMax) {
    const detail = `The record has ${record.value.length} bytes; ${recordBytesMax} are the limit.`
    return unreadable({ code: 'too-large', detail })
  }
  let decoded: DecodedCall
  try {
    decoded = decodeCall(record.value, record)
  } catch (error) {
    if (!(error instanceof PosthasteError)) throw error
    if (error.code === 'record-version') return { kind: 'newer', reason: error.message }
    return unreadable({ code: error.code, detail: error.message })
  }
  const admission = decideAdmission(decoded.call, nowMs)
  if (admission.kind !== 'expire') return { ...admission, decoded }
  return { kind: 'end', decoded, ending: endExpired(decoded.call, record, nowMs) }
}

/** What follows if the time of a call ran out while it waited; undefined if it has not. */
export function endIfExpired(call: Call, record: StoredRecord, clock: Clock): Ending | undefined {
  if (call.expiresAtMs === undefined) return undefined
  const nowMs = clock.now()
  return decideAdmission(call, nowMs).kind === 'expire' ? endExpired(call, record, nowMs) : undefined
}

function endExpired(call: Call, record: StoredRecord, nowMs: number): Ending {
  const failure: Failure = { code: 'expired', detail: 'Its time had run out before it was called.' }
  return endInvocation(call, record, 'expired', failure, undefined, nowMs)
}

/** The turn of a record that is to be called, put off or ended. */
export function turnOfAdmitted(record: StoredRecord, { decoded }: Readable): Turn {
  return decoded ? turnOf(decoded.call) : { key: unreadableId(record) }
}
