import { Pool } from 'undici'

/** Calls that a target may have at once before it has answered any. */
const FIRST_PLACES = 2
/** How soon after a target became busy its silence begins to tell. */
const GRACE_MS = 100
/** How much of its past a target's pace remembers with each answer. */
const MEMORY = 0.9
const CONNECT_TIMEOUT_MS = 10_000
/** What is moved aside stays away for at least and at most this long. */
const SPILL_MS_MIN = 1_000
const SPILL_MS_MAX = 30_000
/** Those that come back at one time share a batch on the timers. */
const SPILL_GRID_MS = 100

/**
 * What a listener knows of one origin: its connections, how many calls it may have at once, and its pace. A target
 * begins with few places and earns one with each answer, so that many that hang cannot take all places of those that
 * answer. Generic over what waits.
 */
export class Target<W> {
  readonly origin: string
  readonly waiting: W[] = []
  readonly #placesMax: number
  #pool: Pool | undefined
  #running = 0
  #places = FIRST_PLACES
  /** Since when its calls wait for an answer; undefined while nothing runs or waits. */
  #busySinceMs: number | undefined
  #lastAnswerMs: number | undefined
  /** Between two answers while it was busy. */
  #intervalMs = 0
  /** When the last of those moved aside comes back. */
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

  /** Whether its last call was answered. */
  get isProven(): boolean {
    return this.#lastAnswerMs !== undefined
  }

  get isIdle(): boolean {
    return this.#running === 0 && this.waiting.length === 0
  }

  idleMs(nowMs: number): number {
    return this.isIdle ? nowMs - this.#idleSinceMs : 0
  }

  wait(one: W, nowMs: number): void {
    this.#busySinceMs ??= nowMs
    this.waiting.push(one)
  }

  begin(nowMs: number): void {
    this.#busySinceMs ??= nowMs
    this.#running += 1
  }

  /** A call ended: with a whole answer, whatever its status; without one; or undefined: it was not made. */
  end(answered: boolean | undefined, nowMs: number): void {
    this.#running -= 1
    if (answered) {
      const sinceMs = this.#silentMs(nowMs)
      this.#intervalMs = this.isProven ? this.#intervalMs * MEMORY + sinceMs * (1 - MEMORY) : sinceMs
      this.#lastAnswerMs = nowMs
      this.#places = Math.min(this.#placesMax, this.#places + 1)
      if (sinceMs < GRACE_MS) this.#lastTurnMs = 0
    } else if (answered === false) {
      this.#places = Math.max(1, Math.floor(this.#places / 2))
      this.#lastAnswerMs = undefined
    }
    if (this.isIdle) {
      this.#busySinceMs = undefined
      this.#idleSinceMs = nowMs
    }
  }

  /** How long one more call would wait, in milliseconds, judged by the target's pace. */
  expectedWaitMs(nowMs: number): number {
    const silentMs = this.#silentMs(nowMs)
    if (!this.isProven && silentMs < GRACE_MS) return 0
    // A target that answers will soon have all its places.
    const growth = this.isProven && silentMs < GRACE_MS ? this.#places / this.#placesMax : 1
    return (this.waiting.length + 1) * this.#paceMs(nowMs) * growth
  }

  /**
   * When to bring back a call that is moved aside, in milliseconds by the same clock: in turn, at the target's pace,
   * but not so late that a target which recovers is left alone for long.
   */
  nextTurnMs(nowMs: number): number {
    const turnMs = Math.max(this.#lastTurnMs, nowMs + SPILL_MS_MIN) + this.#paceMs(nowMs)
    this.#lastTurnMs = Math.min(turnMs, nowMs + SPILL_MS_MAX)
    return Math.ceil(this.#lastTurnMs / SPILL_GRID_MS) * SPILL_GRID_MS
  }

  #paceMs(nowMs: number): number {
    return Math.max(this.#intervalMs, this.#silentMs(nowMs))
  }

  /** For how long it has been asked without an answer. */
  #silentMs(nowMs: number): number {
    return nowMs - Math.max(this.#lastAnswerMs ?? 0, this.#busySinceMs ?? nowMs)
  }

  /** Closes its connections. */
  async close(): Promise<void> {
    await this.#pool?.destroy()
    this.#pool = undefined
  }
}
