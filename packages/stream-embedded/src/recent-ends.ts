import type { Turn } from '@posthaste/stream'

/** Of so many turns it is remembered that they ended. */
export const ENDS_MAX = 5_000

/**
 * Which turns ended a moment ago, and where the journal says how: for whoever would act for one of them in the belief that
 * it still waits. What is older, everybody has read in the journal. Entries are added when they are asked to be written,
 * and written in that order. Takes next to nothing of what adds to it; looking one up goes through all.
 */
export class RecentEnds {
  readonly #keys: string[] = []
  readonly #generations = new Uint32Array(ENDS_MAX)
  readonly #attempts = new Uint32Array(ENDS_MAX)
  readonly #offsets = new Float64Array(ENDS_MAX)
  /** How many there have been. */
  #added = 0
  #written = 0

  add({ attempt = 1, generation = 1, key }: Turn): void {
    const slot = this.#added % ENDS_MAX
    this.#keys[slot] = key
    this.#generations[slot] = generation
    this.#attempts[slot] = attempt
    this.#offsets[slot] = Number.NaN
    this.#added += 1
  }

  /** The next `count` of what was added stands in the journal, from `offset` on. */
  wrote(offset: number, count: number): void {
    for (let index = 0; index < count; index += 1) {
      const isKept = this.#written >= this.#added - ENDS_MAX
      if (isKept) this.#offsets[this.#written % ENDS_MAX] = offset + index
      this.#written += 1
    }
  }

  has(turn: Turn): boolean {
    return this.#slotOf(turn) !== undefined
  }

  /** Where the first entry of a turn stands; undefined if that is not known, or not written. */
  offsetOf(turn: Turn): number | undefined {
    const slot = this.#slotOf(turn)
    const offset = slot === undefined ? Number.NaN : (this.#offsets[slot] as number)
    return Number.isNaN(offset) ? undefined : offset
  }

  #slotOf({ attempt = 1, generation = 1, key }: Turn): number | undefined {
    for (let count = Math.max(0, this.#added - ENDS_MAX); count < this.#added; count += 1) {
      const slot = count % ENDS_MAX
      if (this.#keys[slot] !== key) continue
      if (this.#generations[slot] === generation && this.#attempts[slot] === attempt) return slot
    }
    return undefined
  }
}
