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
  /** What the first answer says beside its status. */
  readonly headers?: Answer['headers']
  readonly maxAttempts?: number
  readonly answerMs?: number
  readonly deferred?: boolean
  readonly forwarded?: boolean
  /** Whether a destination is told how it ended. */
  readonly told?: boolean
  /** Left out: whether it succeeds is as the last status says. */
  readonly final?: 'expired'
  /** How many of a thousand instructions are of this kind. */
  readonly share: number
}

export const KINDS = {
  immediate: { statuses: [200], share: 200 },
  deferred: { statuses: [200], deferred: true, share: 300 },
  slow: { statuses: [200], answerMs: 100, share: 100 },
  failsOnce: { statuses: [503, 200], share: 80 },
  failsTwice: { statuses: [500, 429, 200], told: true, share: 60 },
  forwarded: { statuses: [200], forwarded: true, share: 100 },
  deferredForwarded: { statuses: [503, 201], deferred: true, forwarded: true, share: 30 },
  askedAgain: { statuses: [202, 200], headers: { 'posthaste-retry': '300ms' }, told: true, share: 30 },
  putOffTooFar: { statuses: [503], headers: { 'retry-after': '9999999' }, final: 'expired', told: true, share: 20 },
  refused: { statuses: [400], share: 40 },
  exhausted: { statuses: [503, 503], maxAttempts: 2, forwarded: true, told: true, share: 40 },
} as const satisfies Record<string, Expected>

export type Kind = keyof typeof KINDS

/** Nothing is deferred by more. */
export const DEFERRED_MS_MAX = 3_000
const RETRY = { initialDelay: '200ms', factor: 1, jitter: 'none' } as const

/** What a kind is to come to. */
export function expectedOf(kind: Kind): Expected {
  return KINDS[kind]
}

/** How what is of a kind ends. */
export function finalStateOf(kind: Kind): 'succeeded' | 'failed' | 'expired' {
  const { final, statuses } = expectedOf(kind)
  return final ?? ((statuses.at(-1) as number) < 300 ? 'succeeded' : 'failed')
}

/** Makes the next instruction of a mix: a path tells it from all others, even if no answer ever brings its id. */
export function createPlan(number: number, targetUrl: string, random: Random, nowMs: number): Plan {
  const kind = pickKind(random)
  const { deferred, forwarded, maxAttempts, told }: Expected = KINDS[kind]
  const destination = `${targetUrl}/told/${kind}/${number}`
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
      ...(told && { onSuccess: destination, onFailure: destination }),
    },
  }
}

/** The target's side of the mix. */
export function answerOf(arrival: Arrival): Answer {
  const { door, kind } = readPath(arrival.path)
  if (door !== 'call') return {}
  const { answerMs = 0, headers, statuses } = expectedOf(kind)
  return {
    status: statuses[arrival.attempt - 1] ?? 599,
    delayMs: answerMs,
    body: `answer ${arrival.attempt}`,
    ...(headers && arrival.attempt === 1 && { headers }),
  }
}

/** What is called: the target itself, or who is told how that ended. */
export type Door = 'call' | 'forward' | 'told'

/** Which instruction a call is about. */
export function readPath(path: string): { readonly door: Door; readonly kind: Kind; readonly number: number } {
  const [, door, kind, number] = path.split('/')
  return { door: door as Door, kind: kind as Kind, number: Number(number) }
}

function pickKind(random: Random): Kind {
  let at = random.integer(0, 999)
  for (const kind of Object.keys(KINDS) as Kind[]) {
    at -= KINDS[kind].share
    if (at < 0) return kind
  }
  return 'immediate'
}
