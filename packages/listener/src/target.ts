import { Pool } from 'undici'

/** Calls that a target may have at once before it has answered any. */
const FIRST_PLACES = 2
/** A target that has been asked for this long without an answer is silent, unless its calls usually take longer. */
const SILENT_AFTER_MS = 200
/** How much of the past stays in the average duration with each answer. */
const MEMORY = 0.9
const CONNECT_TIMEOUT_MS = 10_000
/** What is moved aside because its target is slow comes back in turn, within this time. */
const TURN_MS_MIN = 1_000
/** What is moved aside because its target is stuck stays away for twice as long as that has lasted. */
const AWAY_MS_MIN = 2_000
const AWAY_MS_MAX = 30_000
/** Those that come back at one time share a batch on the timers. */
const AWAY_GRID_MS = 100

/** How a call ended for its target: after how long, and whether with an answer, of whatever status. */
export type CallEnd = { readonly answered: boolean; readonly durationMs: number } | 'not made'

/**
 * What a listener knows of one origin: its connections, how many calls it may have at once, and its pace. A target
 * begins with few places and earns one with each answer, so that many that hang cannot take all places of those that
 * answer. Generic over what waits. Times in milliseconds, by the dispatcher's time.
 */
export class Target<W> {
  readonly origin: string
  readonly #waiting: W[] = []
  readonly #placesMax: number
  #pool: Pool | undefined
  #running = 0
  #places: number
  /** Since when something runs or waits; undefined while nothing does. */
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

  constructor(origin: string, placesMax: number, nowMs: number) {
    this.origin = origin
    this.#placesMax = placesMax
    this.#places = Math.min(FIRST_PLACES, placesMax)
    this.#idleSinceMs = nowMs
  }

  get pool(): Pool {
    this.#pool ??= new Pool(this.origin, {
      connections: this.#placesMax,
      pipelining: 1,
      // Our own deadline covers the whole call; undici's are coarse.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: CONNECT_TIMEOUT_MS },
    })
    return this.#pool
  }

  get running(): number {
    return this.#running
  }

  get hasPlace(): boolean {
    return this.#running < this.#places
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

  wait(one: W, nowMs: number): void {
    this.#busySinceMs ??= nowMs
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
  }

  end(end: CallEnd, nowMs: number): void {
    this.#running -= 1
    if (end !== 'not made') {
      this.#answers = end.answered
      this.#isProven = end.answered
      this.#places = end.answered ? Math.min(this.#placesMax, this.#places + 1) : Math.max(1, this.#places >> 1)
      this.#durationMs =
        this.#lastEndMs === 0 ? end.durationMs : this.#durationMs * MEMORY + end.durationMs * (1 - MEMORY)
      this.#lastEndMs = nowMs
    }
    this.#noteIdle(nowMs)
  }

  /** How long one more call would wait, judged by the target's pace. */
  expectedWaitMs(nowMs: number): number {
    return (this.#waiting.length + 1) * this.#paceMs(nowMs)
  }

  /** Whether nothing is to be expected of it soon: no call ends, or those that do take long and get no answer. */
  isStuck(nowMs: number): boolean {
    return this.#isSilent(nowMs) || (!this.#answers && this.#durationMs > SILENT_AFTER_MS)
  }

  /**
   * When to bring back a call that is moved aside. If the target is stuck, after a time that grows with its silence; if it
   * is slow, in turn, at its pace; never so late that a target which recovers is left alone for long.
   */
  returnMs(nowMs: number): number {
    let ms: number
    if (this.isStuck(nowMs)) {
      ms = nowMs + Math.max(AWAY_MS_MIN, 2 * this.#silentMs(nowMs))
    } else {
      this.#lastTurnMs = Math.max(this.#lastTurnMs, nowMs + TURN_MS_MIN) + this.#paceMs(nowMs)
      ms = this.#lastTurnMs
    }
    return Math.ceil(Math.min(ms, nowMs + AWAY_MS_MAX) / AWAY_GRID_MS) * AWAY_GRID_MS
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
    if (!this.isIdle) return
    this.#busySinceMs = undefined
    this.#lastTurnMs = 0
    this.#idleSinceMs = nowMs
  }

  /** Closes its connections. */
  async close(): Promise<void> {
    await this.#pool?.destroy()
    this.#pool = undefined
  }
}
