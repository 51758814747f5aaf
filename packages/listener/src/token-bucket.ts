/** What is dealt out is looked at twenty times a second: with less at once a high rate would never be reached. */
const BURST_MS_MIN = 100

/**
 * Lets calls begin at a rate, and up to so many at once: in any t seconds no more than burst and rate times t. Times in
 * milliseconds.
 */
export class TokenBucket {
  readonly #perMs: number
  readonly #most: number
  #tokens: number
  #asOfMs: number
  /** When the last of those that wait their turn elsewhere has it. */
  #lastTurnMs = 0

  /** One that takes the place of another has no more than that one. */
  constructor(perSecond: number, burst: number, nowMs: number, before?: TokenBucket) {
    this.#perMs = perSecond / 1_000
    this.#most = Math.max(burst, this.#perMs * BURST_MS_MIN)
    this.#tokens = Math.min(this.#most, before ? before.#at(nowMs) : this.#most)
    this.#asOfMs = nowMs
  }

  has(nowMs: number): boolean {
    return this.#at(nowMs) >= 1
  }

  /** There must be one. */
  take(nowMs: number): void {
    this.#tokens = this.#at(nowMs) - 1
    this.#asOfMs = nowMs
  }

  giveBack(): void {
    this.#tokens = Math.min(this.#most, this.#tokens + 1)
  }

  /** How long it takes until there are `count`. */
  waitMs(count: number, nowMs: number): number {
    return Math.max(0, count - this.#at(nowMs)) / this.#perMs
  }

  /** Whether it is this that calls wait for, rather than a target that takes one each `paceMs`. */
  holdsUp(paceMs: number, nowMs: number): boolean {
    return !this.has(nowMs) && 1 / this.#perMs > paceMs
  }

  /** Gives a turn to one more, behind `waiting` that wait for theirs here, and returns its time. */
  turnMs(waiting: number, nowMs: number): number {
    this.#lastTurnMs = Math.max(this.#lastTurnMs, nowMs + this.waitMs(waiting, nowMs)) + 1 / this.#perMs
    return this.#lastTurnMs
  }

  /** For how long it is worth knowing: then it is as a new one. */
  keepMs(nowMs: number): number {
    return Math.max(this.waitMs(this.#most, nowMs), this.#lastTurnMs - nowMs)
  }

  #at(nowMs: number): number {
    return Math.min(this.#most, this.#tokens + (nowMs - this.#asOfMs) * this.#perMs)
  }
}
