import type { Call } from './call.js'
import { ERRORS, type ErrorCode } from './errors.js'
import { isSuccess, type Outcome } from './outcome.js'
import { type RetryPolicy, retryDelayMs } from './retry-policy.js'

/**
 * The life of an invocation, as the journal records it. Each entry is written in the same step as what follows from it.
 *
 *     scheduled ─due─▶ queued ──call──▶ succeeded
 *                        ▲   └──────▶ failed      no attempt is left, or trying again is of no use
 *                        │   └──────▶ expired     its time ran out before a call succeeded
 *                        │   └──────▶ cancelled   somebody asked for it before it had ended
 *                        └─ retrying ◀┘           another attempt is due at a time
 *
 * `succeeded`, `failed`, `expired` and `cancelled` are final: a generation has exactly one of them. `failed` and `expired`
 * are the dead letters. A redrive of one starts the next generation, `queued` again.
 */
export type JournalState = TurnEnd | Note
/** How a turn ended. */
export type TurnEnd = 'retrying' | FinalState
export type FinalState = (typeof FINAL_STATES)[number]
/** What is told of a turn that goes on: it was put off to a time, or its call runs for long. Decides nothing. */
export type Note = 'scheduled' | 'running'

export const FINAL_STATES = ['succeeded', 'failed', 'expired', 'cancelled'] as const
/** What can be redriven. */
export const DEAD_LETTER_STATES = ['failed', 'expired'] as const satisfies readonly FinalState[]

/** What an invocation is shown as. */
export type InvocationState = 'queued' | JournalState
/** What goes on, and can be cancelled. */
export const PENDING_STATES = [
  'scheduled',
  'queued',
  'running',
  'retrying',
] as const satisfies readonly InvocationState[]
export const INVOCATION_STATES = [...PENDING_STATES, ...FINAL_STATES] as const

export function isFinalState(state: string): state is FinalState {
  return (FINAL_STATES as readonly string[]).includes(state)
}

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
  | { readonly state: 'failed' | 'expired' | 'cancelled'; readonly failure: Failure }
  | { readonly state: 'retrying'; readonly failure: Failure; readonly dueMs: number; readonly next: Call }

/**
 * Decides what follows from the attempt that `call` asked for. `random` is a number in [0, 1) for the jitter.
 * Statuses that are tried again: 5xx but 501, 408, 425 and 429; so is whatever ended without an answer.
 */
export function decideSequel(call: Call, outcome: Outcome, policy: RetryPolicy, nowMs: number, random: number): Sequel {
  if (isSuccess(outcome)) return { state: 'succeeded' }
  const failure = failureOf(outcome)
  if (failure.code === 'cancelled') return { state: 'cancelled', failure }
  if (!isRetriable(outcome) || call.attempt >= policy.maxAttempts) return { state: 'failed', failure }
  const dueMs = nowMs + retryDelayMs(policy, call.attempt, random)
  if (call.expiresAtMs !== undefined && dueMs >= call.expiresAtMs) return { state: 'expired', failure }
  return { state: 'retrying', failure, dueMs, next: nextAttempt(call, dueMs) }
}

/** The call once more, as the next attempt. What moved this one has nothing to do with it. */
export function nextAttempt({ move: _, ...call }: Call, dueMs: number): Call {
  return { ...call, attempt: call.attempt + 1, notBeforeMs: dueMs }
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
