/** Turns of which it is remembered that they ended, so that copies are known. */
const ENDED_MAX = 5_000

/** The turns of a partition that ended last, and where in the journal the first entry of each stands. */
export class EndedTurns {
  readonly #offsets = new Map<string, number>()
  /** Stands before the oldest: what is forgotten is always the next one. */
  readonly #oldest = this.#offsets.keys()

  has(text: string): boolean {
    return this.#offsets.has(text)
  }

  offsetOf(text: string): number | undefined {
    return this.#offsets.get(text)
  }

  add(text: string, offset: number): void {
    this.#offsets.set(text, Math.min(offset, this.#offsets.get(text) ?? offset))
    if (this.#offsets.size > ENDED_MAX) this.#offsets.delete(this.#oldest.next().value as string)
  }

  forget(text: string): void {
    this.#offsets.delete(text)
  }
}
