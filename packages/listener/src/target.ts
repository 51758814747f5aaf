import type { Pool } from 'undici'
import { Breaker, type BreakerChange, type BreakerState, type Sign } from './breaker.js'
import { Connections } from './connections.js'
import { publicConnector } from './connector.js'
import type { TargetLimits } from './target-limits.js'
import { TokenBucket } from './token-bucket.js'

/** Calls that a target may have at once before it has answered any. */
const FIRST_PLACES = 2
/** A target that has been asked for this long without an answer is silent, unless its calls usually take longer. */
const SILENT_AFTER_MS = 200
/** How much of the past stays in the average duration with each answer. */
const MEMORY = 0.9
/** What is moved aside because its target is slow comes back in turn, within this time. */
const TURN_MS_MIN = 1_000
/** What is moved aside because its target is stuck stays away for twice as long as that has lasted. */
const AWAY_MS_MIN = 2_000
const AWAY_MS_MAX = 30_000
/** Those that come back at one time share a batch on the timers. */
const AWAY_GRID_MS = 100

/** How a call ended for its target: after how long, whether with an answer, of whatever status, and what that says. */
export type CallEnd = { readonly answered: boolean; readonly durationMs: number; readonly sign: Sign } | 'not made'

/**
 * What a listener knows of one origin: its connections, how many calls it may have at once, and its pace. A target
 * begins with few places and earns one with each answer, so that many that hang cannot take all places of those that
 * answer. Generic over what waits. Times in milliseconds, by the dispatcher's time.
 */
export class Target<W> {
  readonly origin: string
  readonly #waiting: W[] = []
  #breaker: Breaker
  #limits: TargetLimits
  #bucket: TokenBucket | undefined
  readonly #connections = new Connections()
  #running = 0
  #places: number
  /** Since when something runs or waits, where there is a rate only since when it runs; undefined while nothing does. */
  #busySinceMs: number | undefined
  #lastEndMs = 0
  /** How long its calls take, on average, whatever their end. */
  #durationMs = 0
  /** Whether its last call was answered. */
  #answers = true
  /** The same, but not taken for granted before the first. */
  #isProven = false
  /** When the last of those that wait their turn elsewhere comes back. */
  #lastTurnMs = 0
  #idleSinceMs: number
  /** Since when it is where it is. */
  #movedMs = Number.NEGATIVE_INFINITY

  constructor(origin: string, limits: TargetLimits, nowMs: number) {
    this.origin = origin
    this.#limits = limits
    this.#places = Math.min(FIRST_PLACES, limits.places)
    this.#breaker = new Breaker(limits.failures)
    this.#bucket = bucketOf(limits, nowMs)
    this.#idleSinceMs = nowMs
  }

  get limits(): TargetLimits {
    return this.#limits
  }

  get #placesMax(): number {
    return this.#limits.places
  }

  /** From now on other limits hold, for what waits too. Tells if its breaker closed, as it is somewhere else. */
  limit(limits: TargetLimits, nowMs: number): BreakerChange | undefined {
    const before = this.#limits
    if (limits === before) return undefined
    this.#limits = limits
    this.#places = Math.min(this.#places, limits.places)
    const hasOtherRate = limits.rate !== before.rate || limits.burst !== before.burst
    if (hasOtherRate) this.#bucket = bucketOf(limits, nowMs, this.#bucket)
    return limits.at === before.at ? undefined : this.#move(nowMs)
  }

  /** What is known of how it answers is of where it was. */
  #move(nowMs: number): BreakerChange | undefined {
    const wasDead = this.isDead
    this.#movedMs = nowMs
    this.#breaker = new Breaker(this.#limits.failures)
    this.#answers = true
    this.#isProven = false
    this.#durationMs = 0
    this.#lastEndMs = 0
    if (this.#busySinceMs !== undefined) this.#busySinceMs = nowMs
    this.#places = Math.min(this.#placesMax, wasDead ? FIRST_PLACES : Math.max(FIRST_PLACES, this.#places))
    return wasDead ? 'closed' : undefined
  }

  /** Its connections to the origin where it is. One more than places: for a probe, should calls hang on all others. */
  poolOf(origin: string): Pool {
    const { connectorOf = publicConnector } = this.#limits
    return this.#connections.poolOf({ origin, width: this.#placesMax + 1 }, connectorOf)
  }

  /** Whether it may have connections. */
  get isConnected(): boolean {
    return this.#connections.areOpen
  }

  get running(): number {
    return this.#running
  }

  /** Whether it may have one more call now, as far as it is up to this target. */
  hasPlace(nowMs: number): boolean {
    if (this.isLimited(nowMs)) return false
    return this.isDead ? this.#breaker.admits(nowMs) : this.#running < this.#places
  }

  /** Whether its breaker is open: nothing is called but probes. */
  get isDead(): boolean {
    return this.#breaker.isOpen
  }

  get breakerState(): BreakerState {
    return this.#breaker.state
  }

  /** For how long it has been dead. */
  outageMs(nowMs: number): number {
    return this.#breaker.outageMs(nowMs)
  }

  /** Whether no call may begin because so many have. */
  isLimited(nowMs: number): boolean {
    return this.#bucket?.has(nowMs) === false
  }

  get waitingCount(): number {
    return this.#waiting.length
  }

  get isIdle(): boolean {
    return this.#running === 0 && this.#waiting.length === 0
  }

  /** Whether its last call was answered, and none that runs now takes much longer. */
  isProven(nowMs: number): boolean {
    return this.#isProven && !this.#isSilent(nowMs)
  }

  idleMs(nowMs: number): number {
    return this.isIdle ? nowMs - this.#idleSinceMs : 0
  }

  /** For how long what is known of it counts after its last call, or the last that was moved aside. */
  keepMs(nowMs: number): number {
    return Math.max(this.#breaker.keepMs(nowMs), this.#bucket?.keepMs(nowMs) ?? 0)
  }

  wait(one: W, nowMs: number): void {
    // Where there is a rate, what waits asks nothing of the target.
    if (!this.#bucket) this.#busySinceMs ??= nowMs
    this.#waiting.push(one)
  }

  /** Takes what came first, or last, of what waits; there must be something. */
  take(which: 'first' | 'last', nowMs: number): W {
    const one = (which === 'first' ? this.#waiting.shift() : this.#waiting.pop()) as W
    this.#noteIdle(nowMs)
    return one
  }

  someWaiting(isIt: (one: W) => boolean): boolean {
    return this.#waiting.some(isIt)
  }

  /** Takes those of what waits that are `wanted`. */
  takeIf(wanted: (one: W) => boolean, nowMs: number): W[] {
    const taken = this.#waiting.filter(wanted)
    if (taken.length === 0) return taken
    this.#waiting.splice(0, Infinity, ...this.#waiting.filter((one) => !taken.includes(one)))
    this.#noteIdle(nowMs)
    return taken
  }

  begin(nowMs: number): void {
    this.#busySinceMs ??= nowMs
    this.#running += 1
    this.#bucket?.take(nowMs)
    this.#breaker.begin(nowMs)
  }

  /** Tells if its breaker opened, or closed. */
  end(end: CallEnd, nowMs: number): BreakerChange | undefined {
    this.#running -= 1
    const change = end === 'not made' ? this.#noteUnmade() : this.#noteEnd(end, nowMs)
    this.#noteIdle(nowMs)
    return change
  }

  #noteUnmade(): undefined {
    this.#bucket?.giveBack()
    this.#breaker.unmade()
  }

  #noteEnd({ answered, durationMs, sign }: Exclude<CallEnd, 'not made'>, nowMs: number): BreakerChange | undefined {
    // What began where it was says nothing of where it is.
    if (nowMs - durationMs < this.#movedMs) return undefined
    const change = this.#breaker.end(sign, durationMs, nowMs)
    this.#answers = answered
    this.#isProven = answered
    this.#places = answered ? Math.min(this.#placesMax, this.#places + 1) : Math.max(1, this.#places >> 1)
    // Whoever is back is not to get all at once.
    if (change === 'closed') this.#places = Math.min(FIRST_PLACES, this.#placesMax)
    const isFirst = this.#lastEndMs === 0 || change === 'closed'
    this.#durationMs = isFirst ? durationMs : this.#durationMs * MEMORY + durationMs * (1 - MEMORY)
    this.#lastEndMs = nowMs
    return change
  }

  /** How long one more call would wait, judged by the target's pace, and its rate. */
  expectedWaitMs(nowMs: number): number {
    const count = this.#waiting.length + 1
    return Math.max(count * this.#paceMs(nowMs), this.#bucket?.waitMs(count, nowMs) ?? 0)
  }

  /** Whether nothing is to be expected of it soon: no call ends, or those that do take long and get no answer. */
  isStuck(nowMs: number): boolean {
    return this.#isSilent(nowMs) || (!this.#answers && this.#durationMs > SILENT_AFTER_MS)
  }

  /**
   * When to bring back a call that is moved aside. If the target is dead, after a time that grows with that; if it is
   * stuck, with its silence; if it is slow, in turn, at its pace; never so late that a target which recovers is left alone
   * for long. What only its rate keeps out has a turn that is sure, however late. `random` is a number in [0, 1).
   */
  returnMs(nowMs: number, random: number): number {
    return Math.ceil(this.#backMs(nowMs, random) / AWAY_GRID_MS) * AWAY_GRID_MS
  }

  #backMs(nowMs: number, random: number): number {
    if (this.isDead) return nowMs + this.#park(nowMs, random)
    const latestMs = nowMs + AWAY_MS_MAX
    if (this.isStuck(nowMs)) return Math.min(nowMs + Math.max(AWAY_MS_MIN, 2 * this.#silentMs(nowMs)), latestMs)
    const paceMs = this.#paceMs(nowMs)
    if (this.#bucket?.holdsUp(paceMs, nowMs)) return this.#bucket.turnMs(this.#waiting.length, nowMs)
    this.#lastTurnMs = Math.max(this.#lastTurnMs, nowMs + TURN_MS_MIN) + paceMs
    return Math.min(this.#lastTurnMs, latestMs)
  }

  #park(nowMs: number, random: number): number {
    if (this.isIdle) this.#idleSinceMs = nowMs
    return this.#breaker.park(nowMs, random)
  }

  /** Time from one call's start to the next. A target that answers will soon have all its places. */
  #paceMs(nowMs: number): number {
    if (this.#isSilent(nowMs)) return this.#silentMs(nowMs) / this.#places
    return this.#durationMs / (this.#answers ? this.#placesMax : this.#places)
  }

  #isSilent(nowMs: number): boolean {
    return this.#silentMs(nowMs) > Math.max(SILENT_AFTER_MS, 2 * this.#durationMs)
  }

  /** For how long it has been asked and no call has ended. */
  #silentMs(nowMs: number): number {
    return nowMs - Math.max(this.#lastEndMs, this.#busySinceMs ?? nowMs)
  }

  #noteIdle(nowMs: number): void {
    if (this.#bucket && this.#running === 0) this.#busySinceMs = undefined
    if (!this.isIdle) return
    this.#busySinceMs = undefined
    this.#lastTurnMs = 0
    this.#idleSinceMs = nowMs
  }

  /** Closes its connections. The next call opens new ones. */
  close(): Promise<void> {
    return this.#connections.close()
  }
}

function bucketOf({ burst, rate }: TargetLimits, nowMs: number, before?: TokenBucket): TokenBucket | undefined {
  return rate > 0 ? new TokenBucket(rate, burst, nowMs, before) : undefined
}
