/** When a failed attempt is followed by another. Delays in milliseconds. */
export interface RetryPolicy {
  /** Calls in all, the first included. */
  readonly maxAttempts: number
  readonly initialDelayMs: number
  readonly factor: number
  readonly maxDelayMs: number
  /** `none`: the whole wait; `equal`: half of it and up to half more; `full`: anything up to it. */
  readonly jitter: 'none' | 'equal' | 'full'
}

/** Waits of up to 1 s, 2 s, 4 s and 8 s between five attempts. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  maxAttempts: 5,
  initialDelayMs: 1_000,
  factor: 2,
  maxDelayMs: 300_000,
  jitter: 'full',
}

/**
 * The wait after attempt number `attempt` (from 1) failed, in whole milliseconds. `random` is a number in [0, 1).
 */
export function retryDelayMs(policy: RetryPolicy, attempt: number, random: number): number {
  const wait = Math.min(policy.maxDelayMs, policy.initialDelayMs * policy.factor ** (attempt - 1))
  const fixed = { none: wait, equal: wait / 2, full: 0 }[policy.jitter]
  return Math.round(fixed + (wait - fixed) * random)
}
