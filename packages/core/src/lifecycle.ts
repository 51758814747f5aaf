import type { Call } from './call.js'
import { ERRORS, type ErrorCode } from './errors.js'
import { isSuccess, type Outcome } from './outcome.js'
import { type RetryPolicy, retryDelayMs } from './retry-policy.js'

/**
 * The life of an invocation, as the journal records it. Each entry is written in the same step as what follows from it.
 *
 *     queued ──call──▶ succeeded
 *        ▲   └──────▶ failed      no attempt is left, or trying again is of no use
 *        │   └──────▶ expired     its time ran out before a call succeeded
 *        └─ retrying ◀┘           another attempt is due at a time
 *
 * `succeeded`, `failed` and `expired` are final: a generation has exactly one of them. `failed` and `expired` are the
 * dead letters.
 */
export type JournalState = 'retrying' | FinalState
export type FinalState = 'succeeded' | 'failed' | 'expired'

/** Why an invocation did not succeed. */
export interface Failure {
  readonly code: ErrorCode
  readonly detail: string
}

/** What to do with a call that was pulled from the stream. */
export type Admission =
  | { readonly kind: 'call' }
  | { readonly kind: 'defer'; readonly dueMs: number }
  | { readonly kind: 'expire' }

export function decideAdmission(call: Call, nowMs: number): Admission {
  if (call.expiresAtMs !== undefined && call.expiresAtMs <= nowMs) return { kind: 'expire' }
  if (call.notBeforeMs !== undefined && call.notBeforeMs > nowMs) return { kind: 'defer', dueMs: call.notBeforeMs }
  return { kind: 'call' }
}

/** What follows from an attempt. */
export type Sequel =
  | { readonly state: 'succeeded' }
  | { readonly state: 'failed' | 'expired'; readonly failure: Failure }
  | { readonly state: 'retrying'; readonly failure: Failure; readonly dueMs: number; readonly next: Call }

/**
 * Decides what follows from the attempt that `call` asked for. `random` is a number in [0, 1) for the jitter.
 * Statuses that are tried again: 5xx but 501, 408, 425 and 429; so is whatever ended without an answer.
 */
export function decideSequel(call: Call, outcome: Outcome, policy: RetryPolicy, nowMs: number, random: number): Sequel {
  if (isSuccess(outcome)) return { state: 'succeeded' }
  const failure = failureOf(outcome)
  if (!isRetriable(outcome) || call.attempt >= policy.maxAttempts) return { state: 'failed', failure }
  const dueMs = nowMs + retryDelayMs(policy, call.attempt, random)
  if (call.expiresAtMs !== undefined && dueMs >= call.expiresAtMs) return { state: 'expired', failure }
  return { state: 'retrying', failure, dueMs, next: { ...call, attempt: call.attempt + 1, notBeforeMs: dueMs } }
}

function failureOf(outcome: Outcome): Failure {
  if (outcome.kind === 'unanswered') return { code: outcome.code, detail: outcome.detail }
  return { code: 'status', detail: `The target answered ${outcome.response.status}.` }
}

function isRetriable(outcome: Outcome): boolean {
  if (outcome.kind === 'unanswered') return ERRORS[outcome.code].retriable
  const { status } = outcome.response
  return (status >= 500 && status !== 501) || status === 408 || status === 425 || status === 429
}
