import { setTimeout as sleep } from 'node:timers/promises'
import { isSealed, type Log, PosthasteError, sealed } from '@posthaste/core'
import type { StoredRecord, Stream } from '@posthaste/stream'

/** No call starts unless it was known so recently that nothing else was asked of it. */
export const KNOWN_WITHIN_MS = 2_000
/** Not to know for so long is worth telling. */
const LOST_AFTER_MS = 10_000
const AFTER_FAILURE_MS = 500

/** What is needed of a stream to know what is asked of invocations. */
export interface ControlLog {
  readonly supports: Pick<Stream['supports'], 'owners'>
  append: Stream['append']
  follow: Stream['follow']
}

/** Follows the control log for as long as it runs, and knows how well it knows it. Times by `performance.now()`. */
export class ControlFollower {
  readonly #control: ControlLog
  readonly #log: Log
  readonly #read: (records: readonly StoredRecord[]) => void
  readonly #caughtUp: () => void
  readonly #stopping = new AbortController()
  #following: Promise<void> | undefined
  #startedMs = 0
  /** Up to when it is known that nothing more was asked. */
  #asOfMs = Number.NEGATIVE_INFINITY
  /** Why it cannot be followed now. */
  #error: unknown

  /** `read` is called with what is read, and with nothing when all was read; `caughtUp` when it is current again. */
  constructor(control: ControlLog, log: Log, read: (records: readonly StoredRecord[]) => void, caughtUp: () => void) {
    this.#control = control
    this.#log = log
    this.#read = read
    this.#caughtUp = caughtUp
  }

  /** Idempotent. */
  start(): void {
    if (this.#following) return
    this.#startedMs = performance.now()
    this.#following = this.#followOn()
  }

  /** Whether nothing was asked up to a moment ago that is not known. */
  get isCurrent(): boolean {
    return performance.now() - this.#asOfMs < KNOWN_WITHIN_MS
  }

  /** What is wrong if it has not been current for long. */
  get failure(): string | undefined {
    const sinceMs = Math.max(this.#asOfMs, this.#startedMs)
    if (!this.#following || performance.now() - sinceMs <= LOST_AFTER_MS) return undefined
    const reason = this.#error instanceof PosthasteError ? ` ${this.#error.message}` : ''
    return `What is asked of invocations cannot be read.${reason}`
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#following
  }

  async #followOn(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        await this.#follow(signal)
        if (!signal.aborted) this.#noteFailure(new Error('It ended.'))
      } catch (error) {
        this.#noteFailure(error)
      }
      await sleep(AFTER_FAILURE_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  /** From the start each time: to read a directive twice changes nothing. */
  async #follow(signal: AbortSignal): Promise<void> {
    for await (const { asOfMs, records } of this.#control.follow('control', 'start', { beats: true, signal })) {
      // Passed over, it would be missed for good: what was cancelled would be called.
      for (const { value } of records) if (isSealed(value)) throw sealed(value)
      const wasCurrent = this.isCurrent
      if (asOfMs !== undefined) {
        this.#asOfMs = asOfMs
        this.#error = undefined
      }
      this.#read(records)
      if (!wasCurrent && this.isCurrent) this.#caughtUp()
    }
  }

  #noteFailure(error: unknown): void {
    if (!this.#error) this.#log.error({ err: error }, 'the control log cannot be followed; trying again')
    this.#error = error
  }
}
