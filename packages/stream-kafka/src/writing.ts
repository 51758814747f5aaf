import { setTimeout as sleep } from 'node:timers/promises'
import { type Log, PosthasteError } from '@posthaste/core'
import type { Outgoing } from './record-codec.js'
import type { Sender } from './sender.js'

const RETRY_MS = 250
const WARN_EVERY_MS = 5_000
/** How long writing goes on after the stop. */
export const STOPPED_GIVE_UP_MS = 5_000

/** Writes what must not be lost: for as long as that takes. */
export class Writing {
  readonly #sender: Sender
  readonly #log: Log
  readonly #busy = new Set<Promise<unknown>>()
  #stoppedMs: number | undefined
  #warnedMs = Number.NEGATIVE_INFINITY

  constructor(sender: Sender, log: Log) {
    this.#sender = sender
    this.#log = log
  }

  get isStopped(): boolean {
    return this.#stoppedMs !== undefined
  }

  /** Has a stop wait for `work`, and returns it. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#busy.add(work)
    const done = (): void => {
      this.#busy.delete(work)
    }
    work.then(done, done)
    return work
  }

  /** Tries until all is stored. Resolves false if it `isVain` by then, or all was stopped for too long. */
  async untilStored(records: readonly Outgoing[], isVain = (): boolean => false): Promise<boolean> {
    for (;;) {
      try {
        await this.#sender.send(records)
        return true
      } catch (error) {
        this.#warn(error)
        // The stream is stopped: nothing can be sent any more.
        if (error instanceof PosthasteError && error.code === 'stopping') return false
        if (this.#hasGivenUp || isVain()) return false
      }
      await sleep(RETRY_MS)
    }
  }

  /** Resolves once what was asked for so far is written, or given up. */
  async stop(): Promise<void> {
    this.#stoppedMs ??= performance.now()
    while (this.#busy.size > 0) await Promise.all(this.#busy)
  }

  get #hasGivenUp(): boolean {
    return this.#stoppedMs !== undefined && performance.now() - this.#stoppedMs > STOPPED_GIVE_UP_MS
  }

  /** Once for all that fail at about one time. */
  #warn(error: unknown): void {
    if (performance.now() - this.#warnedMs < WARN_EVERY_MS) return
    this.#warnedMs = performance.now()
    this.#log.warn({ err: error, records: this.#busy.size }, 'what was called cannot be recorded; trying again')
  }
}
