import { type CallEnd, Target } from './target.js'

/** Connections of a target that nobody called for this long are closed. */
const IDLE_MS_MAX = 30_000
/** Targets remembered while nothing runs for them. */
const IDLE_TARGETS_MAX = 1_000

/** A call that would wait longer than this for its target must not wait here. */
const WAIT_MS_MAX = 2_000
/** What finds only places that are kept for others comes back after this time: there may be very many of its kind. */
const KEPT_OUT_MS = 10_000

/** A target may have this share of the places that are still free, and one in any case. */
const SHARE_OF_FREE = 1 / 4
/** This share of all places is kept for targets that answer: however many others hang, one each, these go on. */
const SHARE_KEPT = 1 / 4

/**
 * All targets: shares the places among them, in turn. Each gets as many as it earned, as long as that is less than a
 * share of what is free (dynamic thresholds, Choudhury and Hahne 1998). Times in milliseconds, by the
 * dispatcher's time.
 */
export class Targets<W> {
  readonly #placesMax: number
  readonly #placesPerTarget: number
  readonly #placesKept: number
  readonly #targets = new Map<string, Target<W>>()
  /** Those for whom something waits, in the order in which their turn comes. */
  readonly #waiting = new Set<Target<W>>()
  #running = 0
  #waitingCount = 0

  constructor(placesMax: number, placesPerTarget: number) {
    this.#placesMax = placesMax
    this.#placesPerTarget = placesPerTarget
    this.#placesKept = Math.floor(placesMax * SHARE_KEPT)
  }

  /** The target of an origin if anything is known of it. */
  known(origin: string): Target<W> | undefined {
    return this.#targets.get(origin)
  }

  of(origin: string, nowMs: number): Target<W> {
    let target = this.#targets.get(origin)
    if (!target) {
      target = new Target<W>(origin, Math.min(this.#placesMax, this.#placesPerTarget), nowMs)
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
    if (!target.hasPlace || target.running >= Math.max(1, free * SHARE_OF_FREE)) return false
    return free > 0 && !this.#keepsOut(target, nowMs)
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
    target.end(end, nowMs)
  }

  /** Whether one more call must not wait for a target here: it would take long, or others need the room. */
  waitsTooLong(target: Target<W>, isCrowded: boolean, nowMs: number): boolean {
    const isHopeless = target.isStuck(nowMs) || this.#keepsOut(target, nowMs)
    return (isCrowded && isHopeless) || target.expectedWaitMs(nowMs) > WAIT_MS_MAX
  }

  /** In how many milliseconds to bring back a call that is moved aside. */
  awayMs(target: Target<W>, nowMs: number): number {
    const awayMs = target.returnMs(nowMs) - nowMs
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

  sweep(nowMs: number): void {
    let excess = -IDLE_TARGETS_MAX
    for (const target of this.#targets.values()) if (target.isIdle) excess += 1
    // What is known of those that answer is worth more.
    for (const isProven of [false, true]) {
      for (const [origin, target] of this.#targets) {
        if (target.isProven(nowMs) !== isProven || !target.isIdle) continue
        if (excess <= 0 && target.idleMs(nowMs) < IDLE_MS_MAX) continue
        this.#targets.delete(origin)
        excess -= 1
        void target.close()
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#targets.values()].map((target) => target.close()))
  }
}
