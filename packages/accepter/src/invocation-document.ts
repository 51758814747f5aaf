import { createHash } from 'node:crypto'
import {
  type Attempt,
  formatDuration,
  formatInstant,
  type Invocation,
  isFinalState,
  type RetryPolicy,
} from '@posthaste/core'

type Instruction = NonNullable<Invocation['instruction']>

/** An invocation as the API shows it: all that is known. Fields that say nothing are undefined, and so left out. */
export function documentOf(invocation: Invocation): object {
  const { attempts, instruction, response } = invocation
  return {
    ...summaryOf(invocation),
    response: response && { ...shownResponse(response), headers: response.headers },
    instruction: instruction && shownInstruction(instruction),
    attempts: attempts.map(shownAttempt),
  }
}

/** An invocation as it is shown in a list. */
export function summaryOf(invocation: Invocation): object {
  const { response } = invocation
  return {
    id: invocation.id,
    state: invocation.state,
    generation: invocation.generation,
    attemptsMade: attemptsMade(invocation),
    attemptsAnswered: attemptsAnswered(invocation),
    target: invocation.target,
    method: invocation.method,
    correlationId: invocation.correlationId,
    parent: invocation.parent,
    createdAt: formatInstant(invocation.createdAtMs),
    endedAt: instant(invocation.endedAtMs),
    nextAttemptAt: instant(invocation.nextAttemptAtMs),
    failure: invocation.failure,
    response: response && shownResponse(response),
    forward: invocation.forward,
    destination: invocation.destination,
    pendingChange: pendingChange(invocation),
  }
}

/** Names what a text says, for clients that have it already. */
export function entityTag(text: string): string {
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
}

/** Whether one of the tags of an `If-None-Match` is this one (RFC 9110 section 13.1.2). */
export function isKnownTag(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false
  return ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((one) => one.trim().replace(/^W\//, '') === tag)
}

function attemptsMade(invocation: Invocation): number {
  return lastAttempt(invocation)?.attempt ?? 0
}

function attemptsAnswered(invocation: Invocation): number {
  const { answered = 0, status } = lastAttempt(invocation) ?? {}
  return answered + (status === undefined ? 0 : 1)
}

/** Of this generation. */
function lastAttempt({ attempts, generation }: Invocation): Attempt | undefined {
  const last = attempts.at(-1)
  return last?.generation === generation ? last : undefined
}

function pendingChange({ directive, state }: Invocation): object | undefined {
  if (!directive || directive.isDone || isFinalState(state)) return undefined
  return { kind: directive.kind, notBefore: instant(directive.dueMs) }
}

function shownAttempt({ startedAtMs, ...same }: Attempt): object {
  const { answered, attempt, durationMs, failure, generation, listener, status } = same
  return { generation, attempt, answered, startedAt: formatInstant(startedAtMs), durationMs, status, failure, listener }
}

function shownResponse({ bodyBytes, isKept, status }: NonNullable<Invocation['response']>): object {
  return { status, bodyBytes, bodyKept: isKept }
}

/** In the words of the instruction. */
export function shownInstruction(instruction: Instruction): object {
  const { bodyBytes, forwardTo, headers, onFailure, onSuccess, retry, timeoutMs } = instruction
  return {
    headers,
    bodyBytes,
    forwardTo,
    onSuccess,
    onFailure,
    notBefore: instant(instruction.notBeforeMs),
    expiresAt: instant(instruction.expiresAtMs),
    timeout: duration(timeoutMs),
    retry: retry && shownRetry(retry),
  }
}

function shownRetry({ initialDelayMs, maxAgeMs, maxDelayMs, ...same }: Partial<RetryPolicy>): object {
  const { errors, factor, jitter, maxAttempts, statuses } = same
  const [initialDelay, maxDelay, maxAge] = [initialDelayMs, maxDelayMs, maxAgeMs].map(duration)
  return { maxAttempts, initialDelay, factor, maxDelay, jitter, maxAge, statuses, errors }
}

export function instant(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatInstant(ms)
}

export function duration(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatDuration(ms)
}
