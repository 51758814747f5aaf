import { isFinalState } from '@posthaste/core'
import type { Shown } from '../harness/control.js'
import { CallRules } from './call-rules.js'
import { bears, type Origin } from './child.js'
import { firstLife, isOver, isWaiting, type Life, type Moment, reachable, resting, type Terms } from './life.js'
import { describePlan, type Plan } from './plan.js'
import type { TargetHealth } from './target-health.js'
import type { World } from './world.js'

/** With a real clock the time of a retry is known so well before it is shown. */
const APART_MS_MAX = 30_000

export interface Accepted {
  readonly id: string
  readonly plan: Plan
  /** What is called. */
  readonly target: string
  /** When it was asked for, and when that was answered. */
  readonly fromMs: number
  readonly toMs: number
  readonly health: TargetHealth
  /** Of what nobody asked for by itself. */
  readonly origin?: Origin
}

/** One invocation, as far as the test knows: where it can be, and what may be called. */
export class InvocationModel {
  readonly id: string
  readonly plan: Plan
  readonly target: string
  readonly terms: Terms
  readonly calls: CallRules
  readonly origin: Origin | undefined
  #isExpected: boolean
  /** More than one where it depends on what comes first; none while it is not sure that there is such an invocation. */
  lives: readonly Life[]
  /** How often it was put off because its target was dead. */
  parks = 0

  constructor({ fromMs, health, id, origin, plan, target, toMs }: Accepted) {
    const expiresAtMs = plan.expiresInMs === undefined ? undefined : toMs + plan.expiresInMs
    this.id = id
    this.plan = plan
    this.target = target
    this.terms = { plan, expiresAtMs, released: new Set(), health }
    this.origin = origin
    this.#isExpected = origin !== undefined
    this.lives = origin ? [] : [firstLife(toMs + plan.delayMs)]
    this.calls = new CallRules(plan, fromMs + plan.delayMs)
  }

  /** Where it can be by now, or could if it had been where `lives` say. */
  possible(world: World, lives = this.lives): readonly Life[] {
    const all = this.mayBegin(world) ? [...lives, firstLife(world.clock.now())] : lives
    return world.hasListener ? reachable(this.terms, all, momentOf(world)) : all
  }

  /** Whether that which gives rise to it may have ended so. */
  mayBegin(world: World): boolean {
    const { origin } = this
    return this.#isExpected && origin?.parent.possible(world).some((life) => bears(origin, life)) === true
  }

  /** Whether that which gives rise to it has ended so. */
  get hasBegun(): boolean {
    const { origin } = this
    return origin?.parent.lives.every((life) => bears(origin, life)) === true
  }

  /** It is sure that there is such an invocation. */
  begin(world: World): void {
    this.lives = this.possible(world)
    this.#isExpected = false
  }

  /** Where it comes to rest if no time passes. */
  resting(world: World): readonly Life[] {
    return world.hasListener ? resting(this.terms, this.lives, momentOf(world)) : this.lives
  }

  /** The listener has stopped: what ran waits to be called again. */
  abandon(world: World): void {
    const { nowMs } = momentOf(world)
    this.lives = this.possible(world).map((life): Life => {
      return life.at === 'held' || life.at === 'released'
        ? { ...life, at: 'waiting', dueMs: Math.min(life.dueMs, nowMs) }
        : life
    })
    const running = this.lives.filter((life) => isWaiting(life) && life.dueMs <= nowMs + world.soonMs)
    const turns = new Map(running.map((life) => [`${life.generation}.${life.attempt}`, life]))
    for (const { attempt, generation } of turns.values()) this.calls.allowAgain(generation, attempt)
  }

  toString(): string {
    const lives = this.lives.map(({ asked, at, attempt, dueMs, generation }) => {
      return `${at} ${generation}.${attempt} due ${new Date(dueMs).toISOString()}${asked ? ` ${asked.kind} asked` : ''}`
    })
    return `${this.id} (${describePlan(this.plan)}): ${lives.join(' or ')}`
  }
}

export function momentOf({ clock, soonMs }: World): Moment {
  return { nowMs: clock.now(), soonMs }
}

/** Whether what is shown is how `life` is to be shown. */
export function isShownAs(shown: Shown, life: Life, world: World): boolean {
  if (shown.generation !== life.generation) return false
  if (isOver(life)) return shown.state === life.at && hasAttempts(shown, life)
  if (isFinalState(shown.state)) return false
  if (life.asked) return true
  if (life.at === 'parked') return hasAttempts(shown, life) && !isShownLater(shown, world)
  if (life.at !== 'waiting') return true
  return isFarOff(life, momentOf(world)) ? isShownWaiting(shown, life, world) : !isShownLater(shown, world)
}

/** What is due may be shown as it was put off, but not as put off to a later time. */
function isShownLater({ nextAttemptAt }: Shown, { clock, soonMs }: World): boolean {
  return nextAttemptAt !== undefined && Date.parse(nextAttemptAt) > clock.now() + soonMs
}

export function isFarOff({ asked, at, dueMs }: Life, { nowMs, soonMs }: Moment): boolean {
  return at === 'waiting' && dueMs > nowMs + soonMs && !asked
}

function isShownWaiting(shown: Shown, life: Life, { isExact }: World): boolean {
  const apartMs = Math.abs(Date.parse(shown.nextAttemptAt ?? '') - life.dueMs)
  return shown.state === stateOf(life) && hasAttempts(shown, life) && apartMs <= (isExact ? 0 : APART_MS_MAX)
}

/** The state of what waits for its time. */
export function stateOf({ attempt }: Life): 'scheduled' | 'retrying' {
  return attempt === 1 ? 'scheduled' : 'retrying'
}

/** One that was cancelled or expired may have been so before its last attempt, or in it. */
function hasAttempts({ attemptsMade }: Shown, life: Life): boolean {
  const { at, attempt } = life
  if (isWaiting(life)) return attemptsMade === attempt - 1
  return attemptsMade === attempt || (attemptsMade === attempt - 1 && at !== 'succeeded' && at !== 'failed')
}
