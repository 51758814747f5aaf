import { type FinalState, isFinalState } from '@posthaste/core'
import { type Behaviour, behaviourOf, type Plan, retryDelayMs } from './plan.js'

/**
 * The reference: where an invocation can be, and how it goes on, in so few words that one sees that it is right. It knows
 * nothing of streams, records or listeners.
 */
export interface Life {
  readonly generation: number
  /** The attempt that is waited for, or is at the target, or was the last. */
  readonly attempt: number
  /** `released`: the target, which held it, answers. */
  readonly at: 'waiting' | 'held' | 'released' | FinalState
  /** When the attempt is due. */
  readonly dueMs: number
  /** What was asked for and may not have been done yet. */
  readonly asked?: Asked
}

export type Asked = { readonly kind: 'cancel' } | { readonly kind: 'move'; readonly dueMs: number }

/** A time, and how far beyond it a test with a real clock waits for what is due: what is due by then may have happened. */
export interface Moment {
  readonly nowMs: number
  readonly soonMs: number
}

export interface Terms {
  readonly plan: Plan
  /** Of the first generation; a redrive does not expire. */
  readonly expiresAtMs: number | undefined
  /** Generations that the target no longer holds: it answers 200 at once. */
  readonly released: Set<number>
}

export function firstLife(dueMs: number): Life {
  return { generation: 1, attempt: 1, at: 'waiting', dueMs }
}

export function redriven({ generation }: Life, dueMs: number): Life {
  return { ...firstLife(dueMs), generation: generation + 1 }
}

export function cancelled(life: Life): Life {
  return withoutAsked({ ...life, at: 'cancelled' })
}

export function moved(life: Life, dueMs: number): Life {
  return withoutAsked({ ...life, dueMs })
}

export function isOver({ at }: Life): boolean {
  return isFinalState(at)
}

export function isDead({ at }: Life): boolean {
  return at === 'failed' || at === 'expired'
}

/** What may be next; nothing where it has to wait for its time, for its target, or has ended. */
export function nextLives(terms: Terms, life: Life, { nowMs, soonMs }: Moment): Life[] {
  if (isFinalState(life.at)) return []
  const isDue = life.dueMs <= nowMs + soonMs
  const madeAtMs = Math.max(nowMs, life.dueMs)
  const isTooLate = isDue && life.at === 'waiting' && isExpired(terms, life, madeAtMs)
  const expired = isTooLate ? [withoutAsked({ ...life, at: 'expired' })] : []
  const released = life.at === 'released' ? [withoutAsked({ ...life, at: 'succeeded' })] : []
  if (life.asked?.kind === 'cancel') return [cancelled(life), ...expired, ...released]
  // What runs cannot be moved: it goes on.
  if (life.asked) return life.at === 'waiting' ? [moved(life, life.asked.dueMs), ...expired] : [withoutAsked(life)]
  if (life.at === 'released') return released
  if (life.at === 'held' || !isDue) return []
  if (expired.length > 0) return expired
  const behaviour = behaviourOf(terms.plan.script, life.generation, life.attempt)
  const isHeld = behaviour === 'held' && !terms.released.has(life.generation)
  return [isHeld ? { ...life, at: 'held' } : answered(terms, life, behaviour, madeAtMs)]
}

/** What follows from an attempt that ended with `behaviour` at `atMs`. */
export function answered(terms: Terms, life: Life, behaviour: Behaviour, atMs: number): Life {
  const { plan } = terms
  if (behaviour === '200' || behaviour === 'held') return { ...life, at: 'succeeded' }
  const isFinal = behaviour === '404' || behaviour === '501'
  if (isFinal || life.attempt >= plan.maxAttempts) return { ...life, at: 'failed' }
  const dueMs = atMs + retryDelayMs(plan, life.attempt)
  if (isExpired(terms, life, dueMs)) return { ...life, at: 'expired' }
  return { ...life, at: 'waiting', attempt: life.attempt + 1, dueMs }
}

function isExpired({ expiresAtMs }: Terms, { generation }: Life, atMs: number): boolean {
  return generation === 1 && expiresAtMs !== undefined && expiresAtMs <= atMs
}

function withoutAsked({ asked: _, ...life }: Life): Life {
  return life
}

/** Where `lives` can have come to by now, themselves included. */
export function reachable(terms: Terms, lives: readonly Life[], moment: Moment): Life[] {
  const found = new Map<string, Life>()
  const look = (life: Life): void => {
    const name = JSON.stringify(life)
    if (found.has(name)) return
    found.set(name, life)
    for (const next of nextLives(terms, life, moment)) look(next)
  }
  for (const life of lives) look(life)
  return [...found.values()]
}

/** Where `lives` come to rest if no time passes. */
export function resting(terms: Terms, lives: readonly Life[], moment: Moment): Life[] {
  return reachable(terms, lives, moment).filter((life) => nextLives(terms, life, moment).length === 0)
}
