import { setTimeout as sleep } from 'node:timers/promises'
import type { Marks } from './watermarks.js'

const EVERY_MS = 150

/** Where a log ended when that was asked. */
interface Answer {
  /** When it was asked, by `performance.now()`. */
  readonly asOfMs: number
  readonly marks: Marks
}

/**
 * Asks several times a second where a log ends, so that whoever follows it can tell that nothing more is there. An answer
 * stands until all is told that was there then: so it is also found while more and more comes.
 */
export class Beats {
  readonly #ask: () => Promise<Marks>
  readonly #answered: (marks: Marks) => void
  readonly #stopping = new AbortController()
  #answer: Answer | undefined

  constructor(ask: () => Promise<Marks>, answered: (marks: Marks) => void) {
    this.#ask = ask
    this.#answered = answered
  }

  start(): void {
    void this.#askAfter(0)
  }

  stop(): void {
    this.#stopping.abort()
  }

  /** Once everything was told that the answer knows of, the time as of which nothing more was there; then asks anew. */
  take(offsets: readonly number[]): number | undefined {
    if (!this.#answer) return undefined
    const { asOfMs, marks } = this.#answer
    for (const [partition, { high }] of marks) if ((offsets[partition] ?? 0) < high) return undefined
    this.#answer = undefined
    void this.#askAfter(asOfMs + EVERY_MS - performance.now())
    return asOfMs
  }

  async #askAfter(waitMs: number): Promise<void> {
    const { signal } = this.#stopping
    while (!this.#answer) {
      if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      const asOfMs = performance.now()
      // While the brokers cannot say, nothing is known.
      const marks = await this.#ask().catch(() => undefined)
      if (marks) this.#answer = { asOfMs, marks }
      waitMs = EVERY_MS
    }
    this.#answered(this.#answer.marks)
  }
}
