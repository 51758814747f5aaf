import { Pool } from 'undici'

/** Calls that a target may have at once before it has answered any. */
const FIRST_PLACES = 2
/** A target that has been asked for this long without an answer is silent, unless its calls usually take longer. */
const SILENT_AFTER_MS = 200
/** How much of the past stays in the average duration with each answer. */
const MEMORY = 0.9
const CONNECT_TIMEOUT_MS = 10_000
/** What is moved aside stays away for at least and at most this long. */
const SPILL_MS_MIN = 1_000
const SPILL_MS_MAX = 30_000
/** Those that come back at one time share a batch on the timers. */
const SPILL_GRID_MS = 100

/** How a call ended for its target: after how long it answered, whatever the status, or that it did not. */
export type CallEnd = { readonly answeredInMs: number } | 'unanswered' | 'not made'

/**
 * What a listener knows of one origin: its connections, how many calls it may have at once, and its pace. A target
 * begins with few places and earns one with each answer, so that many that hang cannot take all places of those that
 * answer. Generic over what waits. Times in milliseconds, by the dispatcher's time.
 */
export class Target<W> {
  readonly origin: string
  readonly waiting: W[] = []
  readonly #placesMax: number
  #pool: Pool | undefined
  #running = 0
  #places: number
  /** Since when something runs or waits; undefined while nothing does. */
  #busySinceMs: number | undefined
  #lastAnswerMs: number | undefined
  /** How long its calls take, on average; undefined until it answers, and again when it fails to. */
  #durationMs: number | undefined
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

  end(end: CallEnd, nowMs: number): void {
    this.#running -= 1
    if (end === 'unanswered') {
      this.#places = Math.max(1, Math.floor(this.#places / 2))
      this.#durationMs = undefined
    } else if (end !== 'not made') {
      this.#places = Math.min(this.#placesMax, this.#places + 1)
      this.#durationMs = (this.#durationMs ?? end.answeredInMs) * MEMORY + end.answeredInMs * (1 - MEMORY)
      this.#lastAnswerMs = nowMs
      this.#lastTurnMs = 0
    }
    if (this.isIdle) {
      this.#busySinceMs = undefined
      this.#idleSinceMs = nowMs
    }
  }

  /** How long one more call would wait, judged by the target's pace. */
  expectedWaitMs(nowMs: number): number {
    return (this.waiting.length + 1) * this.#paceMs(nowMs)
  }

  /**
   * When to bring back a call that is moved aside: in turn, at the target's pace, but not so late that a target which
   * recovers is left alone for long.
   */
  nextTurnMs(nowMs: number): number {
    const turnMs = Math.max(this.#lastTurnMs, nowMs + SPILL_MS_MIN) + this.#paceMs(nowMs)
    this.#lastTurnMs = Math.min(turnMs, nowMs + SPILL_MS_MAX)
    return Math.ceil(this.#lastTurnMs / SPILL_GRID_MS) * SPILL_GRID_MS
  }

  /** Whether it has been asked for longer than usual without an answer. */
  isSilent(nowMs: number): boolean {
    return this.#silentMs(nowMs) > Math.max(SILENT_AFTER_MS, 2 * (this.#durationMs ?? 0))
  }

  /** Time from one call's start to the next. One that answers will soon have all its places. */
  #paceMs(nowMs: number): number {
    return this.isSilent(nowMs) ? this.#silentMs(nowMs) / this.#places : (this.#durationMs ?? 0) / this.#placesMax
  }

  #silentMs(nowMs: number): number {
    return nowMs - Math.max(this.#lastAnswerMs ?? 0, this.#busySinceMs ?? nowMs)
  }

  /** Closes its connections. */
  async close(): Promise<void> {
    await this.#pool?.destroy()
    this.#pool = undefined
  }
}
