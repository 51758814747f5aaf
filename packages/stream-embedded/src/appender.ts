import { type Clock, PosthasteError } from '@posthaste/core'
import type { Environment } from '@posthaste/storage'
import type { NewRecord } from '@posthaste/stream'
import type { EmbeddedLog } from './embedded-log.js'
import { storedBytes } from './record-batch.js'

/** Bytes that may wait to be written: beyond that, whoever appends is told to come back. */
const HELD_BYTES_MAX = 64 * 1024 * 1024

/** Appends what is asked for at one time as one batch. */
export class Appender {
  readonly #environment: Environment
  readonly #log: EmbeddedLog
  readonly #clock: Clock
  readonly #appended: () => void
  /** What takes more records. */
  #group: Group | undefined
  /** Bytes of all groups that are not written yet. */
  #heldBytes = 0
  /** Resolves once the last group has ended, one way or the other. */
  #settled: Promise<void> = Promise.resolve()

  constructor(environment: Environment, log: EmbeddedLog, clock: Clock, appended: () => void) {
    this.#environment = environment
    this.#log = log
    this.#clock = clock
    this.#appended = appended
  }

  /** Resolves when the records are on disk: for all that share a transaction with one promise. */
  append(records: readonly NewRecord[]): Promise<void> {
    if (records.length === 0) return Promise.resolve()
    let bytes = 0
    for (const record of records) bytes += storedBytes(record)
    if (this.#heldBytes > 0 && this.#heldBytes + bytes > HELD_BYTES_MAX) {
      return Promise.reject(new PosthasteError('overloaded', 'Too much is waiting to be written.'))
    }
    if (!this.#environment.takeRoom(bytes)) {
      return Promise.reject(
        new PosthasteError('stream-full', 'The disk of the data directory is full but for the reserve.'),
      )
    }
    this.#group ??= this.#startGroup()
    for (const record of records) this.#group.records.push(record)
    this.#group.bytes += bytes
    this.#heldBytes += bytes
    return this.#group.written
  }

  /** Resolves when nothing is being written any more. */
  async idle(): Promise<void> {
    while (this.#heldBytes > 0) await this.#settled
  }

  #startGroup(): Group {
    const group: Group = { records: [], bytes: 0, written: this.#environment.commit(() => this.#writeNow(group)) }
    const settle = (): void => {
      this.#heldBytes -= group.bytes
      // The transaction may have failed before it came to this group.
      if (this.#group === group) this.#group = undefined
      this.#appended()
    }
    this.#settled = group.written.then(settle, settle)
    return group
  }

  #writeNow(group: Group): void {
    // What comes from now on goes to the next one.
    this.#group = undefined
    this.#log.appendNow(group.records, this.#clock.now())
  }
}

/** Records that go into one transaction. */
interface Group {
  readonly records: NewRecord[]
  bytes: number
  readonly written: Promise<void>
}
