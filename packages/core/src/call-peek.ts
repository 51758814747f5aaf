import { parseDuration } from './duration.js'
import { parseInstant } from './instant.js'
import { decideAdmission, expiryMsOf } from './lifecycle.js'
import { bufferOf, firstLineBytes } from './line-record.js'

const OWN_START = '{"v":1,"id":"'
const SCHEDULE_START = '","schedule":'
const ACCEPTED_START = '"acceptedAt":"'
const TARGET_START = '"target":"'
const ATTEMPT = '"attempt":'
/** Where the target's origin ends at the latest in what `encodeCall` writes, but for very long names. */
const PEEK_BYTES = 400

/**
 * Reads the target's origin from a record that looks like one of `encodeCall`, without reading the rest; undefined if it
 * does not. It is good enough to put the record off as it is, not to call: nothing is checked.
 */
export function peekOrigin(bytes: Uint8Array): string | undefined {
  const start = bufferOf(bytes).toString('latin1', 0, PEEK_BYTES)
  if (!start.startsWith(OWN_START)) return undefined
  // A tick is not for its target.
  if (start.startsWith(SCHEDULE_START, start.indexOf('"', OWN_START.length))) return undefined
  const found = start.indexOf(TARGET_START)
  const accepted = start.indexOf(ACCEPTED_START)
  if (accepted < 0 || found < accepted) return undefined
  const target = found + TARGET_START.length
  const end = start.indexOf('/', start.indexOf('://', target) + 3)
  return end < 0 ? undefined : start.slice(target, end)
}

/**
 * Reads until when a record that looks like one of `encodeCall` may be called, without reading the rest; undefined if
 * it may not be now. It is good enough to put the record off as it is. `maxAgeMs` is for one that names none.
 */
export function peekExpiryMs(record: Uint8Array, maxAgeMs: number, nowMs: number): number | undefined {
  const line = bufferOf(record).subarray(0, firstLineBytes(record))
  const instantOf = (field: string): number | undefined => parseInstant(textOf(line, field) ?? '')
  const times = {
    attempt: attemptOf(line),
    acceptedAtMs: instantOf('acceptedAt') ?? nowMs,
    sinceMs: instantOf('since'),
    notBeforeMs: instantOf('notBefore'),
    expiresAtMs: instantOf('expiresAt'),
  }
  const policy = { maxAgeMs: parseDuration(textOf(line, 'maxAge') ?? '') ?? maxAgeMs }
  return decideAdmission(times, policy, nowMs).kind === 'call' ? expiryMsOf(times, policy.maxAgeMs) : undefined
}

/** The first is not said. A header's value is a text. */
function attemptOf(line: Buffer): number {
  const found = line.indexOf(ATTEMPT)
  return found < 0
    ? 1
    : Number.parseInt(line.toString('latin1', found + ATTEMPT.length, found + ATTEMPT.length + 9), 10) || 1
}

/** The text of a field: of the last one that is called so, for a header that is stands before. */
function textOf(line: Buffer, field: string): string | undefined {
  const start = `"${field}":"`
  const found = line.lastIndexOf(start)
  if (found < 0) return undefined
  const from = found + start.length
  return line.toString('latin1', from, line.indexOf('"', from))
}
