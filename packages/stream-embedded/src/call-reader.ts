import type { CompletedPrefix, StoredRecord } from '@posthaste/stream'
import type { EmbeddedParts } from './parts.js'
import type { Trimmer } from './trimmer.js'

/** Reads what is not completed, once, in order. */
export class CallReader {
  readonly #parts: EmbeddedParts
  readonly #prefix: CompletedPrefix
  /** Is told of each batch that was read. */
  readonly #trimmer: Trimmer
  #offset: number
  /** The batch that the last read ended in, and how much of it was read. */
  #ahead: readonly StoredRecord[] = []
  #aheadAt = 0

  constructor(parts: EmbeddedParts, prefix: CompletedPrefix, trimmer: Trimmer) {
    this.#parts = parts
    this.#prefix = prefix
    this.#trimmer = trimmer
    this.#offset = prefix.committed
  }

  /** Undefined if there is nothing more now. */
  next(): StoredRecord | undefined {
    let record = this.#step()
    while (record && this.#prefix.isCompleted(record.offset)) record = this.#step()
    return record
  }

  #step(): StoredRecord | undefined {
    if (this.#aheadAt === this.#ahead.length && !this.#readBatch()) return undefined
    const record = this.#ahead[this.#aheadAt] as StoredRecord
    this.#aheadAt += 1
    this.#offset = record.offset + 1
    return record
  }

  #readBatch(): boolean {
    this.#parts.environment.refresh()
    const batch = this.#parts.logs.calls.read(this.#offset)
    if (!batch) return false
    this.#ahead = batch.records
    this.#aheadAt = Math.max(0, this.#offset - batch.base)
    this.#trimmer.add(batch)
    return true
  }
}
