import { PosthasteError } from '@posthaste/core'
import type { Environment } from '@posthaste/storage'
import type { NewRecord } from '@posthaste/stream'
import type { BatchLog } from './batch-log.js'
import { storedBytes } from './record-batch.js'

/** Bytes that may wait to be written: beyond that, whoever appends is told to come back. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024

/** Appends what is asked for at one time as one batch. */
export class Appender {
  readonly #environment: Environment
  readonly #log: BatchLog
  readonly #appended: () => void
  #waiting: NewRecord[] = []
  #waitingBytes = 0
  #flush: Promise<void> | undefined
  /** Resolves once the last flush that was asked for ended, one way or the other. */
  #settled: Promise<void> = Promise.resolve()

  constructor(environment: Environment, log: BatchLog, appended: () => void) {
    this.#environment = environment
    this.#log = log
    this.#appended = appended
  }

  async append(records: readonly NewRecord[]): Promise<void> {
    const bytes = records.reduce((sum, record) => sum + storedBytes(record), 0)
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > WAITING_BYTES_MAX) {
      throw new PosthasteError('overloaded', 'Too much is waiting to be written.')
    }
    if (!this.#environment.takeRoom(bytes)) {
      throw new PosthasteError('stream-full', 'The disk of the data directory is full but for the reserve.')
    }
    for (const record of records) this.#waiting.push(record)
    this.#waitingBytes += bytes
    this.#flush ??= this.#startFlush()
    try {
      await this.#flush
    } finally {
      this.#waitingBytes -= bytes
    }
    this.#appended()
  }

  /** Resolves when nothing is being written any more. */
  async idle(): Promise<void> {
    while (this.#waitingBytes > 0) await this.#settled
  }

  #startFlush(): Promise<void> {
    const flush = this.#environment.commit(() => this.#flushNow())
    this.#settled = flush.catch(() => {
      // If the transaction failed before it came to this flush, nobody waits for its records any more.
      if (this.#flush !== flush) return
      this.#flush = undefined
      this.#waiting = []
    })
    return flush
  }

  #flushNow(): void {
    this.#flush = undefined
    this.#log.appendNow(this.#waiting.splice(0), Date.now())
  }
}
