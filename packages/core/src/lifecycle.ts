import type { Call } from './call.js'
import type { ErrorCode } from './errors.js'
import { isSuccess, type Outcome } from './outcome.js'
import { type CallError, isStatusOf, type RetryPolicy, retryDelayMs } from './retry-policy.js'
import { wishOf } from './target-wish.js'

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

/** What says when a call may be made. */
export interface CallTimes {
  readonly attempt: number
  readonly acceptedAtMs: number
  readonly sinceMs?: number | undefined
  readonly notBeforeMs?: number | undefined
  readonly expiresAtMs?: number | undefined
}

export function decideAdmission(
  call: CallTimes,
  { maxAgeMs }: Pick<RetryPolicy, 'maxAgeMs'>,
  nowMs: number,
): Admission {
  if (expiryMsOf(call, maxAgeMs) <= nowMs) return { kind: 'expire' }
  if (call.notBeforeMs !== undefined && call.notBeforeMs > nowMs) return { kind: 'defer', dueMs: call.notBeforeMs }
  return { kind: 'call' }
}

/** From when on a call is not made any more: its own time, or when it has grown too old. */
export function expiryMsOf(call: CallTimes, maxAgeMs: number): number {
  return Math.min(call.expiresAtMs ?? Number.POSITIVE_INFINITY, sinceMsOf(call) + maxAgeMs)
}

/** When the first attempt of a generation could be made: what its age counts from. */
function sinceMsOf({ acceptedAtMs, attempt, notBeforeMs = acceptedAtMs, sinceMs }: CallTimes): number {
  // The first attempt may still be put off.
  return attempt > 1 && sinceMs !== undefined ? sinceMs : Math.max(sinceMs ?? acceptedAtMs, notBeforeMs)
}

/** What follows from an attempt. */
export type Sequel =
  | { readonly state: 'succeeded' }
  | { readonly state: 'failed' | 'expired' | 'cancelled'; readonly failure: Failure }
  | { readonly state: 'retrying'; readonly failure: Failure; readonly dueMs: number; readonly next: Retry }

/** The call of another attempt, which says how old it is. */
export type Retry = Call & Required<Pick<Call, 'sinceMs'>>

/**
 * Decides what follows from the attempt that `call` asked for. `random` is a number in [0, 1) for the jitter. What the
 * target wishes comes before the policy, but within its attempts and its age; a success that cannot be tried again stays one.
 */
export function decideSequel(call: Call, outcome: Outcome, policy: RetryPolicy, nowMs: number, random: number): Sequel {
  const isAnswered = outcome.kind === 'answered'
  const wish = isAnswered ? wishOf(outcome.response.headers, nowMs) : {}
  const isSucceeded = isSuccess(outcome)
  if (isSucceeded && !wish.isAgain) return { state: 'succeeded' }
  const failure = failureOf(outcome)
  if (failure.code === 'cancelled') return { state: 'cancelled', failure }
  const end = (state: 'failed' | 'expired'): Sequel => (isSucceeded ? { state: 'succeeded' } : { state, failure })
  const isAgain = wish.isAgain ?? isRetriable(outcome, policy)
  if (!isAgain || call.attempt >= policy.maxAttempts) return end('failed')
  const delayMs = wish.delayMs ?? retryDelayMs(policy, call.attempt, random)
  const dueMs = nowMs + Math.max(delayMs, wish.delayMsMin ?? 0)
  if (dueMs >= expiryMsOf(call, policy.maxAgeMs)) return end('expired')
  return { state: 'retrying', failure, dueMs, next: nextAttempt(call, dueMs, isAnswered) }
}

/** The call once more, as the next attempt. What moved this one has nothing to do with it. */
export function nextAttempt({ move: _, ...call }: Call, dueMs: number, wasAnswered: boolean): Retry {
  const answered = (call.answered ?? 0) + Number(wasAnswered)
  const counted = answered > 0 ? { ...call, answered } : call
  return { ...counted, attempt: call.attempt + 1, sinceMs: sinceMsOf(call), notBeforeMs: dueMs }
}

function failureOf(outcome: Outcome): Failure {
  if (outcome.kind === 'unanswered') return { code: outcome.code, detail: outcome.detail }
  const detail = `The target answered ${outcome.response.status}.`
  if (isSuccess(outcome)) return { code: 'asked-again', detail: `${detail} It asked for another attempt.` }
  return { code: 'status', detail }
}

function isRetriable(outcome: Outcome, policy: RetryPolicy): boolean {
  if (outcome.kind === 'answered') return isStatusOf(policy, outcome.response.status)
  return policy.errors.includes(outcome.code as CallError)
}
