import type { InstructionInput } from '@posthaste/core'
import fc from 'fast-check'
import {
  againAtMs,
  type Behaviour,
  isTriedAgain,
  type Status,
  TRIED_AGAIN,
  type TriedAgain,
  type Wish,
} from './behaviour.js'

/** For each generation what each attempt meets; the last of either stands for all that follow. */
export type Script = readonly (readonly Behaviour[])[]

/** Who can be told of an end. */
export const TOLD = ['forwardTo', 'onSuccess', 'onFailure'] as const
export type Told = (typeof TOLD)[number]

/** An instruction to come, and what its target will do. Times in milliseconds. */
export interface Plan {
  readonly script: Script
  readonly maxAttempts: number
  /** After the first attempt; doubled after each. */
  readonly retryDelayMs: number
  readonly triedAgain?: TriedAgain
  readonly delayMs: number
  readonly expiresInMs?: number
  readonly maxAgeMs: number
  readonly correlationId?: string
  /** Who is told, and what the target does with what it is told. */
  readonly tells?: { readonly whom: readonly Told[]; readonly script: Script }
}

/** What may be drawn of times: a test with a real clock has to wait for what comes soon. */
export interface Times {
  readonly delaysMs: readonly number[]
  readonly retryDelaysMs: readonly number[]
  readonly expiresInMs: readonly number[]
  readonly maxAgesMs: readonly number[]
  /** How far from now something is moved. */
  readonly movesMs: readonly number[]
}

export const CORRELATION_IDS = ['order-1', 'order-2'] as const
/** A call that is to run into its time-out does so soon; for the others it is out of reach. */
const SHORT_TIMEOUT_MS = 150
const LONG_TIMEOUT_MS = 600_000
const RETRY_DELAY_MS_MAX = 7 * 86_400_000

const answer = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom<Status>('200', '404', '429', '500', '501', '503') },
  { weight: 1, arbitrary: fc.constantFrom<Wish>('200again', '404yes', '429date', '503no', '503later') },
)
const behaviour: fc.Arbitrary<Behaviour> = fc.oneof(
  { weight: 5, arbitrary: answer },
  { weight: 1, arbitrary: fc.constantFrom<Behaviour>('reset', 'held') },
)
const generation: fc.Arbitrary<Behaviour[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Behaviour[]>(['200']) },
  { weight: 2, arbitrary: fc.constant<Behaviour[]>(['500']) },
  { weight: 1, arbitrary: fc.constant<Behaviour[]>(['held']) },
  { weight: 5, arbitrary: fc.array(behaviour, { minLength: 1, maxLength: 4 }) },
)
const script: fc.Arbitrary<Script> = fc.oneof(
  { weight: 9, arbitrary: fc.array(generation, { minLength: 1, maxLength: 2 }) },
  // Alone: on a busy machine nothing else may come within so short a time-out.
  { weight: 1, arbitrary: fc.constant<Behaviour[][]>([['timeout']]) },
)
const tells = fc.record({
  whom: fc.subarray([...TOLD], { minLength: 1 }),
  script: fc.oneof(
    { weight: 2, arbitrary: fc.constant<Behaviour[][]>([['200']]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.array(answer, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 }),
    },
  ),
})

export function planOf(times: Times): fc.Arbitrary<Plan> {
  const { delaysMs, expiresInMs, maxAgesMs, retryDelaysMs } = times
  return fc
    .record({
      script,
      maxAttempts: fc.integer({ min: 1, max: 4 }),
      retryDelayMs: fc.constantFrom(...retryDelaysMs),
      triedAgain: fc.constantFrom<TriedAgain>(
        'as always',
        'as always',
        'as always',
        '4xx',
        '501 and broken',
        'nothing',
      ),
      maxAgeMs: fc.constantFrom(...maxAgesMs),
      delayMs: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.constantFrom(...delaysMs)),
      beyondMs: fc.option(fc.constantFrom(...expiresInMs), { freq: 5, nil: undefined }),
      correlationId: fc.option(fc.constantFrom(...CORRELATION_IDS), { freq: 3, nil: undefined }),
      tells: fc.option(tells, { freq: 2, nil: undefined }),
    })
    .map(({ beyondMs, correlationId, tells, ...plan }) => ({
      ...plan,
      ...(correlationId !== undefined && { correlationId }),
      ...(beyondMs !== undefined && { expiresInMs: plan.delayMs + beyondMs }),
      ...(tells && { tells }),
    }))
}

/** Whether its target may not answer: then it has one of its own, lest others wait for it. */
export function isTroublesome({ script }: Plan): boolean {
  return script.flat().some((behaviour) => !/^\d/.test(behaviour))
}

export function behaviourOf(script: Script, generation: number, attempt: number): Behaviour {
  const attempts = script[Math.min(generation, script.length) - 1] as readonly Behaviour[]
  return attempts[Math.min(attempt, attempts.length) - 1] as Behaviour
}

/** The script as the path of a URL, so that the target knows what to do from the call alone: `/500.200/reset`. */
export function pathOf(script: Script): string {
  return `/${script.map((attempts) => attempts.join('.')).join('/')}`
}

export function scriptOf(path: string): Script {
  const [script = ''] = path.slice(1).split('?')
  return script.split('/').map((attempts) => attempts.split('.') as Behaviour[])
}

/** The same for the same plan, targets and time: a key stands for it. Who is told is told at `sharedUrl`. */
export function instructionOf(plan: Plan, targetUrl: string, sharedUrl: string): InstructionInput {
  const { correlationId, delayMs, expiresInMs, maxAgeMs, maxAttempts, retryDelayMs, script } = plan
  const timeoutMs = script.flat().includes('timeout') ? SHORT_TIMEOUT_MS : LONG_TIMEOUT_MS
  return {
    target: `${targetUrl}${pathOf(script)}`,
    timeout: `${timeoutMs}ms`,
    retry: {
      maxAttempts,
      initialDelay: `${retryDelayMs}ms`,
      factor: 2,
      maxDelay: `${RETRY_DELAY_MS_MAX}ms`,
      jitter: 'none',
      maxAge: `${maxAgeMs}ms`,
      ...TRIED_AGAIN[plan.triedAgain ?? 'as always'].said,
    },
    ...(delayMs > 0 && { delay: `${delayMs}ms` }),
    ...(expiresInMs !== undefined && { expiresIn: `${expiresInMs}ms` }),
    ...(correlationId !== undefined && { correlationId }),
    ...destinationsOf(plan, sharedUrl),
  }
}

function destinationsOf({ tells }: Plan, sharedUrl: string): Pick<InstructionInput, Told> {
  if (!tells) return {}
  const urlOf = (told: Told): string => `${sharedUrl}${pathOf(tells.script)}?${told}`
  const all = {
    forwardTo: urlOf('forwardTo'),
    onSuccess: urlOf('onSuccess'),
    onFailure: { url: urlOf('onFailure'), format: 'cloudevents' },
  } as const
  return Object.fromEntries(tells.whom.map((told) => [told, all[told]]))
}

/** When the attempt after one that ended so at a time is due; undefined if there is none. */
export function nextMsAfter(behaviour: Behaviour, plan: Plan, attempt: number, atMs: number): number | undefined {
  if (!isTriedAgain(behaviour, plan.triedAgain ?? 'as always')) return undefined
  return againAtMs(behaviour, atMs, Math.min(RETRY_DELAY_MS_MAX, plan.retryDelayMs * 2 ** (attempt - 1)))
}

export function describePlan({
  correlationId,
  delayMs,
  expiresInMs,
  maxAttempts,
  retryDelayMs,
  script,
  tells,
  triedAgain,
  ...more
}: Plan): string {
  const parts = [
    `${pathOf(script)} x${maxAttempts} every ${retryDelayMs}ms`,
    `for ${more.maxAgeMs}ms`,
    ...(triedAgain ? [`after ${triedAgain}`] : []),
    ...(delayMs > 0 ? [`in ${delayMs}ms`] : []),
    ...(expiresInMs !== undefined ? [`until ${expiresInMs}ms`] : []),
    ...(correlationId !== undefined ? [correlationId] : []),
    ...(tells ? [`then ${tells.whom.join('+')} ${pathOf(tells.script)}`] : []),
  ]
  return parts.join(' ')
}
