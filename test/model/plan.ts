import type { InstructionInput } from '@posthaste/core'
import fc from 'fast-check'

/**
 * What the target does with a call. `held`: nothing until the test releases it, then a 200. `reset`: it breaks the
 * connection. `timeout`: nothing, until the caller's time-out.
 */
export type Behaviour = '200' | '404' | '429' | '500' | '501' | '503' | 'reset' | 'timeout' | 'held'

/** An instruction to come, and what its target will do. Times in milliseconds. */
export interface Plan {
  /** For each generation what each attempt meets; the last of either stands for all that follow. */
  readonly script: readonly (readonly Behaviour[])[]
  readonly maxAttempts: number
  /** After the first attempt; doubled after each. */
  readonly retryDelayMs: number
  readonly delayMs: number
  readonly expiresInMs?: number
  readonly correlationId?: string
}

/** What may be drawn of times: a test with a real clock has to wait for what comes soon. */
export interface Times {
  readonly delaysMs: readonly number[]
  readonly retryDelaysMs: readonly number[]
  readonly expiresInMs: readonly number[]
  /** How far from now something is moved. */
  readonly movesMs: readonly number[]
}

export const CORRELATION_IDS = ['order-1', 'order-2'] as const
/** A call that is to run into its time-out does so soon; for the others it is out of reach. */
const SHORT_TIMEOUT_MS = 150
const LONG_TIMEOUT_MS = 600_000

const behaviour = fc.constantFrom<Behaviour>('200', '404', '429', '500', '501', '503', 'reset', 'held')
const generation: fc.Arbitrary<Behaviour[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Behaviour[]>(['200']) },
  { weight: 2, arbitrary: fc.constant<Behaviour[]>(['500']) },
  { weight: 1, arbitrary: fc.constant<Behaviour[]>(['held']) },
  { weight: 5, arbitrary: fc.array(behaviour, { minLength: 1, maxLength: 4 }) },
)
const script: fc.Arbitrary<Plan['script']> = fc.oneof(
  { weight: 9, arbitrary: fc.array(generation, { minLength: 1, maxLength: 2 }) },
  // Alone: on a busy machine nothing else may come within so short a time-out.
  { weight: 1, arbitrary: fc.constant<Behaviour[][]>([['timeout']]) },
)

export function planOf(times: Times): fc.Arbitrary<Plan> {
  const { delaysMs, expiresInMs, retryDelaysMs } = times
  return fc
    .record({
      script,
      maxAttempts: fc.integer({ min: 1, max: 4 }),
      retryDelayMs: fc.constantFrom(...retryDelaysMs),
      delayMs: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.constantFrom(...delaysMs)),
      beyondMs: fc.option(fc.constantFrom(...expiresInMs), { freq: 5, nil: undefined }),
      correlationId: fc.option(fc.constantFrom(...CORRELATION_IDS), { freq: 3, nil: undefined }),
    })
    .map(({ beyondMs, correlationId, ...plan }) => ({
      ...plan,
      ...(correlationId !== undefined && { correlationId }),
      ...(beyondMs !== undefined && { expiresInMs: plan.delayMs + beyondMs }),
    }))
}

/** Whether its target may not answer: then it has one of its own, lest others wait for it. */
export function isTroublesome({ script }: Plan): boolean {
  return script.flat().some((behaviour) => !/^\d/.test(behaviour))
}

export function behaviourOf(script: Plan['script'], generation: number, attempt: number): Behaviour {
  const attempts = script[Math.min(generation, script.length) - 1] as readonly Behaviour[]
  return attempts[Math.min(attempt, attempts.length) - 1] as Behaviour
}

/** The script as the path of a URL, so that the target knows what to do from the call alone: `/500.200/reset`. */
export function pathOf({ script }: Plan): string {
  return `/${script.map((attempts) => attempts.join('.')).join('/')}`
}

export function scriptOf(path: string): Plan['script'] {
  const generations = path.slice(1).split('/')
  return generations.map((attempts) => attempts.split('.') as Behaviour[])
}

/** The same for the same plan, target and time: a key stands for it. */
export function instructionOf(plan: Plan, targetUrl: string): InstructionInput {
  const { correlationId, delayMs, expiresInMs, maxAttempts, retryDelayMs } = plan
  const timeoutMs = plan.script.flat().includes('timeout') ? SHORT_TIMEOUT_MS : LONG_TIMEOUT_MS
  return {
    target: `${targetUrl}${pathOf(plan)}`,
    timeout: `${timeoutMs}ms`,
    retry: { maxAttempts, initialDelay: `${retryDelayMs}ms`, factor: 2, maxDelay: '7d', jitter: 'none' },
    ...(delayMs > 0 && { delay: `${delayMs}ms` }),
    ...(expiresInMs !== undefined && { expiresIn: `${expiresInMs}ms` }),
    ...(correlationId !== undefined && { correlationId }),
  }
}

export function retryDelayMs(plan: Plan, attempt: number): number {
  return Math.min(7 * 86_400_000, plan.retryDelayMs * 2 ** (attempt - 1))
}

export function describePlan({ correlationId, delayMs, expiresInMs, maxAttempts, retryDelayMs, script }: Plan): string {
  const parts = [
    `${script.map((attempts) => attempts.join('.')).join('/')} x${maxAttempts} every ${retryDelayMs}ms`,
    ...(delayMs > 0 ? [`in ${delayMs}ms`] : []),
    ...(expiresInMs !== undefined ? [`until ${expiresInMs}ms`] : []),
    ...(correlationId !== undefined ? [correlationId] : []),
  ]
  return parts.join(' ')
}
