import { setTimeout as sleep } from 'node:timers/promises'

/** How long a stop waits for what the server does not take. */
const GIVE_UP_MS = 5_000

/** What is being written, which a stop waits for. */
export class Writing {
  readonly #all = new Set<Promise<unknown>>()
  readonly #givenUp = new AbortController()

  /** Aborts when nobody waits any longer. */
  get givenUp(): AbortSignal {
    return this.#givenUp.signal
  }

  /** Resolves and rejects as `writing` does. */
  add<T>(writing: Promise<T>): Promise<T> {
    this.#all.add(writing)
    return writing.finally(() => this.#all.delete(writing))
  }

  /** Resolves when nothing is being written any more, which does not take long. */
  async finish(): Promise<void> {
    const waiting = new AbortController()
    const givingUp = sleep(GIVE_UP_MS, undefined, { signal: waiting.signal }).then(
      () => this.#givenUp.abort(),
      () => undefined,
    )
    await Promise.allSettled([...this.#all])
    waiting.abort()
    await givingUp
  }
}
