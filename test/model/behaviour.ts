import type { InstructionInput } from '@posthaste/core'
import type { Answer } from '../harness/target-server.js'

/**
 * What the target does with a call. `held`: nothing until the test releases it, then a 200. `reset`: it breaks the
 * connection. `timeout`: nothing, until the caller's time-out.
 */
export type Behaviour = Status | Wish | 'reset' | 'timeout' | 'held'
export type Status = '200' | '404' | '429' | '500' | '501' | '503'
/** A status with a wish: another attempt soon, by the policy, none, or none for a while. */
export type Wish = '200again' | '404yes' | '429date' | '503no' | '503later'

const AGAIN_MS = 300
const LATER_MS = 3_000

/** What the target says by its headers at a time. */
const WISHES: Readonly<Record<Wish, (atMs: number) => Answer['headers']>> = {
  '200again': () => ({ 'posthaste-retry': `${AGAIN_MS}ms` }),
  '404yes': () => ({ 'posthaste-retry': 'yes' }),
  '429date': (atMs) => ({ 'retry-after': new Date(laterMs(atMs)).toUTCString() }),
  '503no': () => ({ 'posthaste-retry': 'no' }),
  '503later': () => ({ 'retry-after': `${LATER_MS / 1_000}` }),
}

/** Which ends of an attempt are followed by another: what an instruction says, and what that means here. */
export const TRIED_AGAIN = {
  'as always': { said: {}, means: ['429', '500', '503', 'reset', 'timeout'] },
  '4xx': { said: { statuses: ['4xx'] }, means: ['404', '429', 'reset', 'timeout'] },
  '501 and broken': { said: { statuses: [501], errors: ['connection-closed'] }, means: ['501', 'reset'] },
  nothing: { said: { statuses: [], errors: [] }, means: [] },
} satisfies Record<string, { said: InstructionInput['retry']; means: string[] }>

export type TriedAgain = keyof typeof TRIED_AGAIN

/** What the target answers at a time. */
export function answerOf(behaviour: Status | Wish, atMs: number): Answer {
  return { status: Number.parseInt(behaviour, 10), headers: WISHES[behaviour as Wish]?.(atMs) ?? {} }
}

export function isSuccess(behaviour: Behaviour): boolean {
  return behaviour.startsWith('200') || behaviour === 'held'
}

/** Whether a call that ended so is followed by another. */
export function isTriedAgain(behaviour: Behaviour, triedAgain: TriedAgain): boolean {
  if (behaviour === '503no') return false
  const kind = /^\d+/.exec(behaviour)?.[0] ?? behaviour
  const means: readonly string[] = TRIED_AGAIN[triedAgain].means
  return behaviour === '200again' || behaviour === '404yes' || means.includes(kind)
}

/** When a call that ended so at a time is followed by another, if it is, and the policy would wait for `backOffMs`. */
export function againAtMs(behaviour: Behaviour, atMs: number, backOffMs: number): number {
  if (behaviour === '200again') return atMs + AGAIN_MS
  if (behaviour === '503later') return atMs + Math.max(backOffMs, LATER_MS)
  return behaviour === '429date' ? Math.max(atMs + backOffMs, laterMs(atMs)) : atMs + backOffMs
}

/** A date has no parts of a second. */
function laterMs(atMs: number): number {
  return Math.ceil((atMs + LATER_MS) / 1_000) * 1_000
}
