import type { Turn } from '@posthaste/stream'

/** Of at least so many turns it is remembered that they ended, and of at most twice as many. */
export const ENDS_MAX = 5_000

/**
 * Which turns ended a moment ago, and where the journal says how: for whatever comes of one of them once more, and for
 * whoever would act for it in the belief that it still waits. What is older, everybody has read in the journal.
 */
export class RecentEnds {
  /** By the text of the turn; without an offset while it is still to be written. Old ones go all at once: that is cheap. */
  #young = new Map<string, number | undefined>()
  #old = new Map<string, number | undefined>()

  /** To be called when the end of a turn is asked to be written. */
  add(turn: Turn): void {
    const text = turnText(turn)
    if (this.has(text)) return
    if (this.#young.size === ENDS_MAX) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(text, undefined)
  }

  /** These entries stand in the journal, from `offset` on. The first one of a turn counts. */
  wrote(entries: readonly Turn[], offset: number): void {
    let next = offset
    for (const entry of entries) {
      const text = turnText(entry)
      if (this.has(text) && this.offsetOf(text) === undefined) this.#of(text).set(text, next)
      next += 1
    }
  }

  has(text: string): boolean {
    return this.#young.has(text) || this.#old.has(text)
  }

  /** Where the first entry of a turn stands; undefined if that is not known, or not written. */
  offsetOf(text: string): number | undefined {
    return this.#of(text).get(text)
  }

  #of(text: string): Map<string, number | undefined> {
    return this.#young.has(text) ? this.#young : this.#old
  }
}

/** What tells a turn from all others. Most are the first of their invocation, and then it is the key as it stands. */
export function turnText({ attempt = 1, generation = 1, key }: Turn): string {
  return attempt === 1 && generation === 1 ? key : `${generation} ${attempt} ${key}`
}
