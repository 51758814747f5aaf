import type { ErrorCode } from './errors.js'

/** How a call can end without a whole answer. */
export const CALL_ERRORS = [
  'timeout',
  'connect-timeout',
  'connection-refused',
  'connection-closed',
  'unreachable',
  'name-not-resolved',
  'tls-failed',
  'invalid-response',
  'call-failed',
  'unknown-function',
] as const satisfies readonly ErrorCode[]

export type CallError = (typeof CALL_ERRORS)[number]

/** When an attempt is followed by another. Times in milliseconds. */
export interface RetryPolicy {
  /** Calls in all, the first included. */
  readonly maxAttempts: number
  readonly initialDelayMs: number
  readonly factor: number
  readonly maxDelayMs: number
  /** `none`: the whole wait; `equal`: half of it and up to half more; `full`: anything up to it. */
  readonly jitter: 'none' | 'equal' | 'full'
  /** No attempt begins later than this after the first one could be made. */
  readonly maxAgeMs: number
  /** After which answers: statuses (`429`), classes (`5xx`) and ranges of them (`502-599`). */
  readonly statuses: readonly string[]
  /** After which ends without a whole answer. */
  readonly errors: readonly CallError[]
}

/** What holds where an instruction says nothing else, and no setting does. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  maxAttempts: 5,
  initialDelayMs: 1_000,
  factor: 2,
  maxDelayMs: 300_000,
  jitter: 'full',
  maxAgeMs: 86_400_000,
  // All of 5xx but 501: what is not implemented will not be in a minute.
  statuses: ['408', '425', '429', '500', '502-599'],
  errors: CALL_ERRORS,
}

/** What an entry of `RetryPolicy.statuses` looks like. */
export const STATUSES_PATTERN = '^[3-5](\\d\\d|xx)(-[3-5](\\d\\d|xx))?$'

/** The policy that follows from several: what one does not say the next one says, and the last one says all. */
export function policyOf(...layers: [...(Partial<RetryPolicy> | undefined)[], RetryPolicy]): RetryPolicy {
  const said = layers.filter((layer) => layer !== undefined)
  return said.length === 1 ? (said[0] as RetryPolicy) : Object.assign({}, ...said.reverse())
}

/** Whether an answer with this status is tried again. */
export function isStatusOf({ statuses }: Pick<RetryPolicy, 'statuses'>, status: number): boolean {
  // RFC 9110 section 15: one that is beyond all classes is to be taken for a 5xx.
  const known = Math.min(status, 599)
  return statuses.some((entry) => {
    const ends = (digit: string): number[] => entry.replaceAll('x', digit).split('-').map(Number)
    return known >= Math.min(...ends('0')) && known <= Math.max(...ends('9'))
  })
}

/** The longest wait after attempt number `attempt` (from 1), in milliseconds. */
export function retryDelayMsMax(policy: RetryPolicy, attempt: number): number {
  return Math.min(policy.maxDelayMs, policy.initialDelayMs * policy.factor ** (attempt - 1))
}

/**
 * The wait after attempt number `attempt` (from 1) failed, in whole milliseconds. `random` is a number in [0, 1).
 */
export function retryDelayMs(policy: RetryPolicy, attempt: number, random: number): number {
  const wait = retryDelayMsMax(policy, attempt)
  const fixed = { none: wait, equal: wait / 2, full: 0 }[policy.jitter]
  return Math.round(fixed + (wait - fixed) * random)
}
