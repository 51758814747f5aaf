import type { ErrorCode } from './errors.js'
import type { Headers } from './headers.js'

/** How one attempt ended. */
export type Outcome = Answered | Unanswered

/** The target answered, with whatever status. */
export interface Answered {
  readonly kind: 'answered'
  readonly startedAtMs: number
  readonly durationMs: number
  readonly response: TargetResponse
}

/** There was no whole answer. */
export interface Unanswered {
  readonly kind: 'unanswered'
  readonly startedAtMs: number
  readonly durationMs: number
  readonly code: ErrorCode
  /** For people: says more than the code; never holds a header, a body or a query. */
  readonly detail: string
}

export interface TargetResponse {
  readonly status: number
  readonly headers: Headers
  /** The captured body; empty if the body was larger than the capture limit. */
  readonly body: Uint8Array
  /** Size of the whole body in bytes; more than `body` has if it was not kept. */
  readonly bodyBytes: number
}

export function isTruncated(response: TargetResponse): boolean {
  return response.bodyBytes > response.body.length
}

/** Success is 2xx. Redirects are not followed and count as failure. */
export function isSuccess(outcome: Outcome): outcome is Answered {
  return outcome.kind === 'answered' && outcome.response.status >= 200 && outcome.response.status < 300
}
