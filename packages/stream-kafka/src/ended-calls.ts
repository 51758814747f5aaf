import type { Entry } from './open-entries.js'
import type { Watched } from './record-codec.js'

/** How long after its time a watchdog is still expected: calls run for an hour at the most. */
export const WATCHDOG_MS_MAX = 3_600_000 + 300_000

interface EndedCall {
  /** Of the entry that tells its end. */
  readonly offset: number
  readonly forgetMs: number
}

/** Calls that were checked out and ended, by the offset of their record, until their watchdog is dropped. */
export class EndedCalls {
  readonly #calls = new Map<number, EndedCall>()

  has(at: number): boolean {
    return this.#calls.has(at)
  }

  add(at: number, offset: number): void {
    // Never so late that it is not known when its watchdog comes.
    this.#calls.set(at, { offset, forgetMs: performance.now() + WATCHDOG_MS_MAX })
  }

  /**
   * Takes note of a turn that ended: its watchdog has come, or is to be dropped when it does. `told` is the entry that it
   * was told of, `own` the offset of the one that came of it here, if any did.
   */
  expect(watched: Watched | undefined, told: Entry | undefined, own: number | undefined): void {
    if (watched && !watched.isEarly) {
      this.drop(watched.at)
      return
    }
    const at = watched?.at ?? (told?.about?.isOut ? told.about.at : undefined)
    const entry = told?.offset ?? own
    if (at !== undefined && entry !== undefined) this.add(at, entry)
  }

  drop(at: number): void {
    this.#calls.delete(at)
  }

  /** The lowest offset in the journal that tells of one of them, if that is below `offset`; else `offset`. */
  lowest(offset: number): number {
    let lowest = offset
    for (const call of this.#calls.values()) lowest = Math.min(lowest, call.offset)
    return lowest
  }

  /** Forgets those of whom no watchdog came. */
  expire(nowMs: number): void {
    for (const [at, { forgetMs }] of this.#calls) if (forgetMs < nowMs) this.#calls.delete(at)
  }
}
