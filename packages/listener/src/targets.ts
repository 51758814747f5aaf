import { lookup as systemLookup } from 'node:dns'
import { type EgressPolicy, NO_FUNCTIONS } from '@posthaste/core'
import type { BreakerChange, BreakerState } from './breaker.js'
import { guardedConnector, trustedConnector } from './connector.js'
import { functionLimits } from './function-limits.js'
import type { Job } from './job.js'
import type { ListenerOptions } from './listener-options.js'
import { NameLookups } from './name-lookups.js'
import { type CallEnd, Target } from './target.js'
import type { LimitsOf, TargetLimits } from './target-limits.js'
import { tlsOptions } from './tls-options.js'

/** Connections of a target that nobody called for this long are closed, and what is known of it is forgotten. */
const IDLE_MS_MAX = 30_000
/** Targets that keep their connections while nothing runs for them. */
const IDLE_CONNECTED_MAX = 1_000
/** Targets that are remembered while nothing runs for them: that takes little. */
const IDLE_TARGETS_MAX = 10_000

/** A call that would wait longer than this for its target must not wait here. */
const WAIT_MS_MAX = 2_000
/** What finds only places that are kept for others comes back after this time: there may be very many of its kind. */
const KEPT_OUT_MS = 10_000

/** A target may have this share of the places that are still free, and one in any case. */
const SHARE_OF_FREE = 1 / 4
/** This share of all places is kept for targets that answer: however many others hang, one each, these go on. */
const SHARE_KEPT = 1 / 4

/** The breaker of a target, if it is not closed. */
export interface OpenBreaker {
  readonly origin: string
  readonly state: Exclude<BreakerState, 'closed'>
  /** For how long its calls have failed. */
  readonly outageMs: number
}

/** Hears that a breaker opened, or closed after so long. */
export type BreakerListener = (origin: string, change: BreakerChange, outageMs: number) => void

/**
 * All targets: shares the places among them, in turn. Each gets as many as it earned, as long as that is less than a
 * share of what is free (dynamic thresholds, Choudhury and Hahne 1998). Times in milliseconds, by the
 * dispatcher's time.
 */
export class Targets<W> {
  readonly #placesMax: number
  readonly #perTarget: TargetLimits
  readonly #placesKept: number
  readonly #onBreaker: BreakerListener
  readonly #limitsOf: LimitsOf
  readonly #targets = new Map<string, Target<W>>()
  /** Those for whom something waits, in the order in which their turn comes. */
  readonly #waiting = new Set<Target<W>>()
  #running = 0
  #waitingCount = 0

  /** `limitsOf` tells of those that have limits of their own, and may change them at any time. */
  constructor(
    placesMax: number,
    perTarget: TargetLimits,
    onBreaker: BreakerListener = () => undefined,
    limitsOf: LimitsOf = () => undefined,
  ) {
    this.#placesMax = placesMax
    this.#perTarget = { ...perTarget, places: Math.min(placesMax, perTarget.places) }
    this.#placesKept = Math.floor(placesMax * SHARE_KEPT)
    this.#onBreaker = onBreaker
    this.#limitsOf = limitsOf
  }

  /** The target of an origin if anything is known of it. */
  known(origin: string): Target<W> | undefined {
    return this.#targets.get(origin)
  }

  of(origin: string, nowMs: number): Target<W> {
    let target = this.#targets.get(origin)
    if (!target) {
      target = new Target<W>(origin, this.#limitsOf(origin) ?? this.#perTarget, nowMs)
      this.#targets.set(origin, target)
    }
    return target
  }

  get waitingCount(): number {
    return this.#waitingCount
  }

  wait(target: Target<W>, job: W, nowMs: number): void {
    target.wait(job, nowMs)
    this.#waitingCount += 1
    this.#waiting.add(target)
  }

  waiting(): Iterable<Target<W>> {
    return this.#waiting
  }

  /** Takes back what came last for a target that something waits for. */
  takeLast(target: Target<W>, nowMs: number): W {
    this.#waitingCount -= 1
    return target.take('last', nowMs)
  }

  /** Whether any of all that wait `isIt`. */
  someWaiting(isIt: (job: W) => boolean): boolean {
    return [...this.#waiting].some((target) => target.someWaiting(isIt))
  }

  /** Takes back those of all that wait that are `wanted`. */
  takeIf(wanted: (job: W) => boolean, nowMs: number): W[] {
    const jobs = [...this.#waiting].flatMap((target) => target.takeIf(wanted, nowMs))
    this.#waitingCount -= jobs.length
    return jobs
  }

  /** Whether a call that comes now could start at once: however slow the others are that run, it has a place. */
  canBegin(target: Target<W>, nowMs: number): boolean {
    return target.waitingCount === 0 && this.#hasPlace(target, nowMs)
  }

  #hasPlace(target: Target<W>, nowMs: number): boolean {
    const free = this.#placesMax - this.#running
    if (free <= 0 || !target.hasPlace(nowMs) || this.#keepsOut(target, nowMs)) return false
    // The share is for targets that are called: what hangs since before it was dead keeps no probe out.
    return target.isDead || target.running < Math.max(1, free * SHARE_OF_FREE)
  }

  /** Takes a place for one call, if there is one. */
  begin(target: Target<W>, nowMs: number): boolean {
    if (!this.#hasPlace(target, nowMs)) return false
    this.#running += 1
    target.begin(nowMs)
    return true
  }

  end(target: Target<W>, end: CallEnd, nowMs: number): void {
    this.#running -= 1
    const outageMs = target.outageMs(nowMs)
    const change = target.end(end, nowMs)
    if (change) this.#onBreaker(target.origin, change, Math.max(outageMs, target.outageMs(nowMs)))
  }

  /** The breakers that are not closed. */
  openBreakers(nowMs: number): OpenBreaker[] {
    const open: OpenBreaker[] = []
    for (const target of this.#targets.values()) {
      const { breakerState: state, origin } = target
      if (state !== 'closed') open.push({ origin, state, outageMs: target.outageMs(nowMs) })
    }
    return open
  }

  /** Whether one more call must not wait for a target here: it would take long, or others need the room. */
  waitsTooLong(target: Target<W>, isCrowded: boolean, nowMs: number): boolean {
    if (target.isDead) return true
    const isHopeless = target.isStuck(nowMs) || target.isLimited(nowMs) || this.#keepsOut(target, nowMs)
    return (isCrowded && isHopeless) || target.expectedWaitMs(nowMs) > WAIT_MS_MAX
  }

  /** In how many milliseconds to bring back a call that is moved aside. `random` is a number in [0, 1). */
  awayMs(target: Target<W>, nowMs: number, random: number): number {
    const awayMs = target.returnMs(nowMs, random) - nowMs
    return this.#keepsOut(target, nowMs) ? Math.max(awayMs, KEPT_OUT_MS) : awayMs
  }

  /** Whether the places that are left are kept for others, those that answer. */
  #keepsOut(target: Target<W>, nowMs: number): boolean {
    return this.#placesMax - this.#running <= this.#placesKept && !target.isProven(nowMs)
  }

  /** Takes what waits for the target whose turn it is, with a place for it; undefined if nothing can start. */
  next(nowMs: number): { readonly job: W; readonly target: Target<W> } | undefined {
    for (const target of this.#waiting) {
      if (target.waitingCount === 0) {
        this.#waiting.delete(target)
        continue
      }
      if (!this.begin(target, nowMs)) continue
      const job = target.take('first', nowMs)
      this.#waitingCount -= 1
      this.#waiting.delete(target)
      if (target.waitingCount > 0) this.#waiting.add(target)
      return { job, target }
    }
    return undefined
  }

  /** Forgets what waits and returns it. */
  clear(nowMs: number): W[] {
    const jobs: W[] = []
    for (const target of this.#waiting) {
      while (target.waitingCount > 0) jobs.push(target.take('first', nowMs))
    }
    this.#waiting.clear()
    this.#waitingCount = 0
    return jobs
  }

  /**
   * Closes connections that nobody uses, forgets targets of which nothing is worth knowing, or that are too many, and has
   * new limits hold.
   */
  sweep(nowMs: number): void {
    for (const target of this.#targets.values()) this.#limit(target, nowMs)
    const idle = [...this.#targets.values()].filter(({ isIdle }) => isIdle)
    const isRested = (target: Target<W>): boolean => target.idleMs(nowMs) >= IDLE_MS_MAX
    const isProven = (target: Target<W>): boolean => target.isProven(nowMs)
    const connected = idle.filter((target) => target.isConnected)
    for (const target of surplus(connected, IDLE_CONNECTED_MAX, isRested, isProven)) void target.close()
    const isOver = (target: Target<W>): boolean => isRested(target) && target.idleMs(nowMs) >= target.keepMs(nowMs)
    const isKnown = (target: Target<W>): boolean => isProven(target) || target.isDead
    for (const target of surplus(idle, IDLE_TARGETS_MAX, isOver, isKnown)) {
      this.#targets.delete(target.origin)
      void target.close()
    }
  }

  #limit(target: Target<W>, nowMs: number): void {
    const outageMs = target.outageMs(nowMs)
    const limits = this.#limitsOf(target.origin, target.limits) ?? this.#perTarget
    const change = target.limit(limits, nowMs)
    if (change) this.#onBreaker(target.origin, change, outageMs)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#targets.values()].map((target) => target.close()))
  }
}

/** Those that are over, and of the rest what is more than `most`: first those that are not worth more than others. */
function surplus<T>(
  all: readonly T[],
  most: number,
  isOver: (one: T) => boolean,
  isWorthMore: (one: T) => boolean,
): T[] {
  const over = all.filter(isOver)
  const excess = all.length - over.length - most
  if (excess <= 0) return over
  const rest = all.filter((one) => !isOver(one))
  const inTurn = [...rest.filter((one) => !isWorthMore(one)), ...rest.filter(isWorthMore)]
  return [...over, ...inTurn.slice(0, excess)]
}

/** The targets of a listener. It logs which of them it calls no more, and calls again. */
export function targetsOf(options: ListenerOptions & { readonly egress: EgressPolicy }): Targets<Job> {
  const { breakerFailures: failures, burstPerTarget: burst, concurrency, log, ratePerTarget: rate } = options
  const { functions = () => NO_FUNCTIONS, targetRules = [], tlsMin } = options
  const { egress } = options
  const { lookup } = new NameLookups(options.lookup ?? systemLookup)
  const connectorOf: TargetLimits['connectorOf'] = (origin) =>
    guardedConnector({ egress, log, lookup, tls: tlsOptions(targetRules, tlsMin, origin) })
  const trustedOf: TargetLimits['connectorOf'] = (origin) =>
    trustedConnector({ log, lookup, tls: tlsOptions(targetRules, tlsMin, origin) })
  const perTarget = { places: options.concurrencyPerTarget, failures, rate, burst, connectorOf }
  return new Targets(
    concurrency,
    perTarget,
    (target, change, ms) => {
      const outageMs = Math.round(ms)
      if (change === 'opened') log.warn({ target, outageMs }, 'a target is dead: it is probed, and not called')
      else log.info({ target, outageMs }, 'a target is back: it is called again')
    },
    functionLimits(functions, { ...perTarget, connectorOf: trustedOf }, concurrency),
  )
}
