/**
 * Whether who has so much of what is there for all leaves as much to those who come after him: so nobody can take all of it,
 * and one alone has half.
 */
export function leavesAsMuch(own: number, others: number, max: number): boolean {
  return own <= max - own - others
}

/** What is there for all, and who has how much of it: each leaves as much as he takes. */
export class Shares {
  readonly #max: number
  readonly #own = new Map<string, number>()
  #all = 0

  constructor(max: number) {
    this.#max = max
  }

  /** What all have together. */
  get all(): number {
    return this.#all
  }

  /** What somebody has. */
  of(who: string): number {
    return this.#own.get(who) ?? 0
  }

  /** Returns whether there was so much more for him; then he has it. */
  take(who: string, count = 1): boolean {
    const own = this.of(who)
    if (!leavesAsMuch(own + count, this.#all - own, this.#max)) return false
    this.#own.set(who, own + count)
    this.#all += count
    return true
  }

  giveBack(who: string, count = 1): void {
    const own = this.of(who) - count
    if (own > 0) this.#own.set(who, own)
    else this.#own.delete(who)
    this.#all -= count
  }
}
