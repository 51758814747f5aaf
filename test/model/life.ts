import { type FinalState, isFinalState } from '@posthaste/core'
import { type Behaviour, isSuccess } from './behaviour.js'
import { behaviourOf, nextMsAfter, type Plan, type Told } from './plan.js'
import type { TargetHealth } from './target-health.js'

/**
 * The reference: where an invocation can be, and how it goes on, in so few words that one sees that it is right. It knows
 * nothing of streams, records or listeners.
 */
export interface Life {
  readonly generation: number
  /** The attempt that is waited for, or is at the target, or was the last. */
  readonly attempt: number
  /** `parked`: it was due, but its target is dead. `released`: the target, which held it, answers. */
  readonly at: 'waiting' | 'parked' | 'held' | 'released' | FinalState
  /** When the attempt is due. */
  readonly dueMs: number
  /** When it is due at the latest, if that is not known. */
  readonly lateMs?: number
  /** When the first attempt of the generation could be made: what its age counts from. */
  readonly sinceMs: number
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
  readonly health: TargetHealth
}

export function firstLife(dueMs: number): Life {
  return { generation: 1, attempt: 1, at: 'waiting', dueMs, sinceMs: dueMs }
}

export function redriven({ generation }: Life, dueMs: number): Life {
  return { ...firstLife(dueMs), generation: generation + 1 }
}

export function cancelled(life: Life): Life {
  return { ...settled(life), at: 'cancelled' }
}

export function moved(life: Life, dueMs: number): Life {
  return { ...settled(life), at: 'waiting', dueMs, ...(life.attempt === 1 && { sinceMs: dueMs }) }
}

export function isOver({ at }: Life): boolean {
  return isFinalState(at)
}

export function isDead({ at }: Life): boolean {
  return at === 'failed' || at === 'expired'
}

/** Whether it waits for a time: its own, or that at which its target may be there again. */
export function isWaiting({ at }: Life): boolean {
  return at === 'waiting' || at === 'parked'
}

/** Whether somebody is told of the end of a generation: that ended before the next one began. */
export function tells(life: Life, generation: number, told: Told): boolean {
  if (life.generation < generation) return false
  const isDeadLetter = life.generation > generation || isDead(life)
  const isSucceeded = life.generation === generation && life.at === 'succeeded'
  return (isDeadLetter && told !== 'onSuccess') || (isSucceeded && told !== 'onFailure')
}

/** What may be next; nothing where it has to wait for its time, for its target, or has ended. */
export function nextLives(terms: Terms, life: Life, { nowMs, soonMs }: Moment): Life[] {
  if (isFinalState(life.at)) return []
  const isDue = life.dueMs <= nowMs + soonMs
  const madeAtMs = Math.max(nowMs, life.dueMs)
  const isTooLate = isDue && isWaiting(life) && isExpired(terms, life, madeAtMs)
  const expired: Life[] = isTooLate ? [{ ...settled(life), at: 'expired' }] : []
  const released: Life[] = life.at === 'released' ? [{ ...settled(life), at: 'succeeded' }] : []
  if (life.asked?.kind === 'cancel') return [cancelled(life), ...expired, ...released]
  // What runs cannot be moved: it goes on.
  if (life.asked) return isWaiting(life) ? [moved(life, life.asked.dueMs), ...expired] : [settled(life)]
  if (life.at === 'released') return released
  if (life.at === 'held' || !isDue) return []
  return expired.length > 0 ? expired : [called(terms, life, madeAtMs), ...parked(terms, life, madeAtMs)]
}

function called(terms: Terms, life: Life, atMs: number): Life {
  const { health, plan, released } = terms
  if (health.isDown) return answered(terms, life, '503', atMs)
  const behaviour = behaviourOf(plan.script, life.generation, life.attempt)
  const isHeld = behaviour === 'held' && !released.has(life.generation)
  return isHeld ? { ...settled(life), at: 'held' } : answered(terms, life, behaviour, atMs)
}

/** What follows from an attempt that ended with `behaviour` at `atMs`. */
export function answered(terms: Terms, life: Life, behaviour: Behaviour, atMs: number): Life {
  const { plan } = terms
  const end = (at: 'failed' | 'expired'): Life => ({ ...settled(life), at: isSuccess(behaviour) ? 'succeeded' : at })
  const dueMs = nextMsAfter(behaviour, plan, life.attempt, atMs)
  if (dueMs === undefined || life.attempt >= plan.maxAttempts) return end('failed')
  if (isExpired(terms, life, dueMs)) return end('expired')
  return { ...settled(life), at: 'waiting', attempt: life.attempt + 1, dueMs }
}

/** The same attempt later, if its target may count as dead; when its time runs out at the latest. */
function parked(terms: Terms, life: Life, atMs: number): Life[] {
  const park = terms.health.park(atMs)
  if (!park) return []
  const [dueMs, lateMs] = [park.fromMs, park.toMs].map((ms) => Math.min(ms, expiryMs(terms, life))) as [number, number]
  return [{ ...life, at: 'parked', dueMs, lateMs }]
}

/** Whether it is too late, or too old, at a time. */
export function isExpired(terms: Terms, life: Life, atMs: number): boolean {
  return expiryMs(terms, life) <= atMs
}

function expiryMs({ expiresAtMs = Number.POSITIVE_INFINITY, plan }: Terms, { generation, sinceMs }: Life): number {
  return Math.min(sinceMs + plan.maxAgeMs, generation === 1 ? expiresAtMs : Number.POSITIVE_INFINITY)
}

/** Nothing is asked, and nothing open. */
function settled({ asked: _, lateMs: __, ...life }: Life): Life {
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
