import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { type ErrorCode, PosthasteError } from '@posthaste/core'

/** Codes of undici, Node and OpenSSL, in ours. What is not here is told by its prefix, or is `call-failed`. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  UND_ERR_CONNECT_TIMEOUT: 'connect-timeout',
  ETIMEDOUT: 'connect-timeout',
  ECONNREFUSED: 'connection-refused',
  ECONNRESET: 'connection-closed',
  EPIPE: 'connection-closed',
  UND_ERR_SOCKET: 'connection-closed',
  UND_ERR_CLOSED: 'connection-closed',
  UND_ERR_DESTROYED: 'connection-closed',
  EHOSTUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ENOTFOUND: 'name-not-resolved',
  EAI_AGAIN: 'name-not-resolved',
  EAI_FAIL: 'name-not-resolved',
  EAI_NODATA: 'name-not-resolved',
  EPROTO: 'tls-failed',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls-failed',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls-failed',
  HOSTNAME_MISMATCH: 'tls-failed',
  INVALID_CA: 'tls-failed',
  INVALID_PURPOSE: 'tls-failed',
  PATH_LENGTH_EXCEEDED: 'tls-failed',
  UND_ERR_HEADERS_OVERFLOW: 'invalid-response',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'invalid-response',
  UND_ERR_RESPONSE: 'invalid-response',
  // By its name: undici leaves out the code.
  HTTPParserError: 'invalid-response',
}

const PREFIXES: readonly (readonly [string, ErrorCode])[] = [
  ['HPE_', 'invalid-response'],
  ['CERT_', 'tls-failed'],
  ['UNABLE_TO_', 'tls-failed'],
  ['ERROR_IN_CERT_', 'tls-failed'],
  ['ERR_TLS_', 'tls-failed'],
  ['ERR_SSL_', 'tls-failed'],
]

/**
 * No file descriptor is left, for this process or on the machine. Looking up a name needs some, and connecting needs one:
 * nothing was sent.
 */
const SHORTAGES = ['EMFILE', 'ENFILE']

/** Whether it was not the target that failed, but what a call needs was not to be had here. */
export function isShortage(error: unknown): boolean {
  // Whatever its other addresses said, one was not asked.
  if (error instanceof AggregateError) return error.errors.some((each) => isShortage(each))
  const code = codeOf(error)
  // Without descriptors a look-up may say that there is no such name.
  return SHORTAGES.includes(code) || (CODES[code] === 'name-not-resolved' && !hasDescriptor())
}

function hasDescriptor(): boolean {
  try {
    closeSync(openSync(devNull, 'r'))
    return true
  } catch (error) {
    return !SHORTAGES.includes(codeOf(error))
  }
}

/** Says in our words why a call failed. The detail names the cause, never what was sent. */
export function classifyCallError(error: unknown): { code: ErrorCode; detail: string } {
  if (error instanceof PosthasteError) return { code: error.code, detail: error.message }
  const theirs = codeOf(error)
  const code = CODES[theirs] ?? PREFIXES.find(([prefix]) => theirs.startsWith(prefix))?.[1] ?? 'call-failed'
  return { code, detail: `The call failed: ${theirs}.` }
}

function codeOf(error: unknown): string {
  const { code, name } = firstCause(error) as { code?: unknown; name?: unknown }
  return String(code ?? name ?? 'unknown')
}

/** Connecting to a name with several addresses fails with one error for each. */
function firstCause(error: unknown): object {
  if (error instanceof AggregateError && error.errors.length > 0) return firstCause(error.errors[0])
  return typeof error === 'object' && error !== null ? error : {}
}
