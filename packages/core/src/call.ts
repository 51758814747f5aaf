import type { Headers } from './headers.js'
import type { RetryPolicy } from './retry-policy.js'

/**
 * An invocation's next call: what one record on `calls` says, checked and in one form. Times are milliseconds since the
 * Unix epoch. What is left out follows the listener's defaults.
 */
export interface Call {
  readonly id: string
  /** 1 at first; a redrive starts the next one. */
  readonly generation: number
  /** Which attempt this record asks for, from 1. */
  readonly attempt: number
  readonly acceptedAtMs: number
  /** The invocation whose response this one forwards. */
  readonly parent?: string
  /** Number of the directive that moved this attempt to another time; the record that it replaces has a lower one, or none. */
  readonly move?: number
  /** How many invocations, one giving rise to the next, stand before this one. */
  readonly depth: number
  /** The absolute URL, its query included. */
  readonly target: string
  readonly method: string
  readonly headers: Headers
  readonly body: Uint8Array
  readonly forwardTo?: string
  readonly correlationId?: string
  readonly notBeforeMs?: number
  readonly expiresAtMs?: number
  readonly timeoutMs?: number
  readonly retry?: Partial<RetryPolicy>
}
