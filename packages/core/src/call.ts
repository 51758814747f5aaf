import type { Destination } from './destination.js'
import type { Forward } from './forward.js'
import type { Headers } from './headers.js'
import type { RetryPolicy } from './retry-policy.js'
import type { Schedule } from './schedule.js'

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
  /** How many of the attempts of its generation before this one were answered; left out for none. */
  readonly answered?: number
  readonly acceptedAtMs: number
  /** Of a retry, when the first attempt of its generation could be made; of a first one, when it was redriven. */
  readonly sinceMs?: number
  /** The invocation whose end this one tells of, or the schedule that it is made for. */
  readonly parent?: string
  /** Whose it is; left out for the operator's own. */
  readonly tenant?: string
  /** Number of the directive that moved this attempt to another time; the record that it replaces has a lower one, or none. */
  readonly move?: number
  /** How many invocations, one giving rise to the next, stand before this one. */
  readonly depth: number
  /** The absolute URL, its query included, or that of a named function: `function://NAME/path?query`. */
  readonly target: string
  readonly method: string
  readonly headers: Headers
  readonly body: Uint8Array
  readonly forwardTo?: string
  readonly forwardWith?: Forward
  readonly onSuccess?: Destination
  readonly onFailure?: Destination
  readonly correlationId?: string
  readonly notBeforeMs?: number
  readonly expiresAtMs?: number
  readonly timeoutMs?: number
  readonly retry?: Partial<RetryPolicy>
  /** This is a tick of a schedule, which has its id: the rest is what it calls at its times. See `schedule.ts`. */
  readonly schedule?: Schedule
}
