import type { Turn } from '@posthaste/stream'

/** Of so many turns it is remembered that they ended. */
export const ENDS_MAX = 5_000

/**
 * Which turns ended a moment ago, and where the journal says how: for whatever comes of one of them once more, and for
 * whoever would act for it in the belief that it still waits. What is older, everybody has read in the journal.
 */
export class RecentEnds {
  /** By the text of the turn; without an offset while it is still to be written. */
  readonly #offsets = new Map<string, number | undefined>()
  /** Stands before the oldest: what is forgotten is always the next one. */
  readonly #oldest = this.#offsets.keys()

  /** To be called when the end of a turn is asked to be written. */
  add(turn: Turn): void {
    const text = turnText(turn)
    if (this.#offsets.has(text)) return
    this.#offsets.set(text, undefined)
    if (this.#offsets.size > ENDS_MAX) this.#offsets.delete(this.#oldest.next().value as string)
  }

  /** These entries stand in the journal, from `offset` on. The first one of a turn counts. */
  wrote(entries: readonly Turn[], offset: number): void {
    for (const [index, entry] of entries.entries()) {
      const text = turnText(entry)
      const isAwaited = this.#offsets.has(text) && this.#offsets.get(text) === undefined
      if (isAwaited) this.#offsets.set(text, offset + index)
    }
  }

  has(text: string): boolean {
    return this.#offsets.has(text)
  }

  /** Where the first entry of a turn stands; undefined if that is not known, or not written. */
  offsetOf(text: string): number | undefined {
    return this.#offsets.get(text)
  }
}

/** What tells a turn from all others. */
export function turnText({ attempt = 1, generation = 1, key }: Turn): string {
  return `${generation} ${attempt} ${key}`
}
