/** So many texts are known at the most, and none that is longer: that is nearly all that is asked for, and little memory. */
const COUNT_MAX = 1_000
const LENGTH_MAX = 256

/** What was found out about texts that are asked for again and again. Full, it forgets them all: that is rare, and simple. */
export class Known<T> {
  readonly #found = new Map<string, T>()

  get(text: string): T | undefined {
    return this.#found.get(text)
  }

  /** Returns what it remembers. */
  set(text: string, found: T): T {
    if (text.length > LENGTH_MAX) return found
    if (this.#found.size >= COUNT_MAX) this.#found.clear()
    this.#found.set(text, found)
    return found
  }
}
