/** Runs what is to be done for a key one after the other. */
export class OneByOne {
  readonly #last = new Map<string, Promise<void>>()

  /** Resolves when what was asked for so far is over; undefined if nothing is under way. */
  under(key: string): Promise<void> | undefined {
    return this.#last.get(key)
  }

  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#last.get(key) ?? Promise.resolve()).then(work)
    const over = result.then(
      () => undefined,
      () => undefined,
    )
    this.#last.set(key, over)
    void over.then(() => {
      if (this.#last.get(key) === over) this.#last.delete(key)
    })
    return result
  }
}
