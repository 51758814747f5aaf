import type { InstructionInput } from '@posthaste/core'
import type { Random } from './random.js'
import type { Answer, Arrival } from './target-server.js'

/** What is known of an instruction before it is sent, and what must come of it if it is accepted. */
export interface Plan {
  readonly number: number
  readonly kind: Kind
  readonly instruction: InstructionInput
  /** Not to be called before, in milliseconds since the Unix epoch; 0 if at once. */
  readonly notBeforeMs: number
}

export interface Expected {
  /** What the target answers to each attempt: as many as there are to be. */
  readonly statuses: readonly number[]
  readonly maxAttempts?: number
  readonly answerMs?: number
  readonly deferred?: boolean
  readonly forwarded?: boolean
  /** How many of a thousand instructions are of this kind. */
  readonly share: number
}

export const KINDS = {
  immediate: { statuses: [200], share: 250 },
  deferred: { statuses: [200], deferred: true, share: 300 },
  slow: { statuses: [200], answerMs: 100, share: 100 },
  failsOnce: { statuses: [503, 200], share: 80 },
  failsTwice: { statuses: [500, 429, 200], share: 60 },
  forwarded: { statuses: [200], forwarded: true, share: 100 },
  deferredForwarded: { statuses: [503, 201], deferred: true, forwarded: true, share: 30 },
  refused: { statuses: [400], share: 40 },
  exhausted: { statuses: [503, 503], maxAttempts: 2, forwarded: true, share: 40 },
} as const satisfies Record<string, Expected>

export type Kind = keyof typeof KINDS

/** Nothing is deferred by more. */
export const DEFERRED_MS_MAX = 3_000
const RETRY = { initialDelay: '200ms', factor: 1, jitter: 'none' } as const

/** What a kind is to come to. */
export function expectedOf(kind: Kind): Expected {
  return KINDS[kind]
}

/** Whether the last attempt of a kind succeeds. */
export function finalStateOf(kind: Kind): 'succeeded' | 'failed' {
  return (KINDS[kind].statuses.at(-1) as number) < 300 ? 'succeeded' : 'failed'
}

/** Makes the next instruction of a mix: a path tells it from all others, even if no answer ever brings its id. */
export function createPlan(number: number, targetUrl: string, random: Random, nowMs: number): Plan {
  const kind = pickKind(random)
  const { deferred, forwarded, maxAttempts }: Expected = KINDS[kind]
  const delayMs = random.integer(0, DEFERRED_MS_MAX)
  const asTime = random.next() < 0.5
  const notBeforeMs = deferred ? nowMs + delayMs : 0
  return {
    number,
    kind,
    notBeforeMs,
    instruction: {
      target: `${targetUrl}/call/${kind}/${number}`,
      body: { number },
      retry: { ...RETRY, ...(maxAttempts !== undefined && { maxAttempts }) },
      ...(deferred && (asTime ? { notBefore: new Date(notBeforeMs).toISOString() } : { delay: `${delayMs}ms` })),
      ...(forwarded && { forwardTo: `${targetUrl}/forward/${kind}/${number}` }),
    },
  }
}

/** The target's side of the mix. */
export function answerOf(arrival: Arrival): Answer {
  const { kind, isForward } = readPath(arrival.path)
  if (isForward) return {}
  const { answerMs = 0, statuses }: Expected = KINDS[kind]
  return { status: statuses[arrival.attempt - 1] ?? 599, delayMs: answerMs, body: `answer ${arrival.attempt}` }
}

/** Which instruction a call is about. */
export function readPath(path: string): { readonly isForward: boolean; readonly kind: Kind; readonly number: number } {
  const [, door, kind, number] = path.split('/')
  return { isForward: door === 'forward', kind: kind as Kind, number: Number(number) }
}

function pickKind(random: Random): Kind {
  let at = random.integer(0, 999)
  for (const kind of Object.keys(KINDS) as Kind[]) {
    at -= KINDS[kind].share
    if (at < 0) return kind
  }
  return 'immediate'
}
