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

  constructor(environment: Environment, log: BatchLog, appended: () => void) {
    this.#environment = environment
    this.#log = log
    this.#appended = appended
  }

  async append(records: readonly NewRecord[]): Promise<void> {
    const bytes = records.reduce((sum, record) => sum + storedBytes(record), 0)
    if (this.#waitingBytes + bytes > WAITING_BYTES_MAX) {
      throw new PosthasteError('overloaded', 'Too much is waiting to be written.')
    }
    if (!this.#environment.takeRoom(bytes)) {
      throw new PosthasteError('stream-full', 'The disk of the data directory is full but for the reserve.')
    }
    this.#waiting.push(...records)
    this.#waitingBytes += bytes
    this.#flush ??= this.#environment.commit(() => this.#flushNow())
    try {
      await this.#flush
    } finally {
      this.#waitingBytes -= bytes
    }
    this.#appended()
  }

  #flushNow(): void {
    this.#flush = undefined
    this.#log.appendNow(this.#waiting.splice(0), Date.now())
  }
}
