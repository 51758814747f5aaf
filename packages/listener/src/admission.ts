import { type DecodedCall, decideAdmission, decodeCall, type Failure, PosthasteError } from '@posthaste/core'
import type { StoredRecord } from '@posthaste/stream'
import { type Ending, endInvocation, endUnreadable } from './effects.js'

/** What to do with a record that was pulled. */
export type Admitted =
  | { readonly kind: 'call'; readonly decoded: DecodedCall }
  | { readonly kind: 'defer'; readonly decoded: DecodedCall; readonly dueMs: number }
  /** Without `decoded`, its record cannot be read. */
  | { readonly kind: 'end'; readonly decoded?: DecodedCall; readonly ending: Ending }
  /** Only a newer version can read it: nothing may pass it. */
  | { readonly kind: 'newer'; readonly reason: string }

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
  const failure: Failure = { code: 'expired', detail: 'Its time had run out before it was called.' }
  return { kind: 'end', decoded, ending: endInvocation(decoded.call, record, 'expired', failure, undefined, nowMs) }
}
