import type { Environment, Table } from '@posthaste/storage'
import type { LogName, NewRecord, StoredRecord } from '@posthaste/stream'
import { batchAppendedAtMs, batchCount, decodeBatch, encodeBatches } from './record-batch.js'

/**
 * An ordered log in an LMDB table: batches of records under the offset of their first one. Methods that end in `Now`
 * are for use inside `Environment.commit`.
 */
export class BatchLog {
  readonly name: LogName
  readonly #batches: Table<number>
  readonly #ends: Table<string>

  constructor(environment: Environment, name: LogName) {
    this.name = name
    this.#batches = environment.table(name)
    this.#ends = environment.table('log-ends')
  }

  /** Where the next record will stand. Trimming does not change it. */
  end(): number {
    return this.#ends.get(this.name)?.readDoubleLE(0) ?? 0
  }

  appendNow(records: readonly NewRecord[], appendedAtMs: number): void {
    if (records.length > 0) this.appendBatchesNow(encodeBatches(records, appendedAtMs))
  }

  appendBatchesNow(batches: readonly Buffer[]): void {
    let end = this.end()
    for (const batch of batches) {
      this.#batches.putSync(end, batch)
      end += batchCount(batch)
    }
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeDoubleLE(end)
    this.#ends.putSync(this.name, bytes)
  }

  /** The records from `offset` on that stand in the first batch that reaches there; none at the end of the log. */
  read(offset: number): StoredRecord[] {
    for (const { key, value } of this.#batches.getRange({ start: this.#baseOf(offset), limit: 2 })) {
      if (key + batchCount(value) <= offset) continue
      const records = decodeBatch(this.name, key, value)
      return key < offset ? records.slice(offset - key) : records
    }
    return []
  }

  /** Removes batches that lie wholly below `offset`, `batchesMax` at the most, and returns how many. */
  trimNow(offset: number, batchesMax: number): number {
    const keys = [...this.#batches.getKeys({ limit: batchesMax + 1 })]
    const end = this.end()
    let trimmed = 0
    for (const key of keys.slice(0, batchesMax)) {
      if ((keys[trimmed + 1] ?? end) > offset) break
      this.#batches.removeSync(key)
      trimmed += 1
    }
    return trimmed
  }

  /** Whether anything lies below `offset` that `trimNow` would remove. */
  canTrim(offset: number): boolean {
    const [first, second] = [...this.#batches.getKeys({ limit: 2 })]
    return first !== undefined && (second ?? this.end()) <= offset
  }

  /** The offset up to which records are older than `beforeMs`, as far as the first `batchesMax` batches tell. */
  offsetBefore(beforeMs: number, batchesMax: number): number {
    let offset = 0
    for (const { key, value } of this.#batches.getRange({ limit: batchesMax })) {
      offset = key
      if (batchAppendedAtMs(value) >= beforeMs) return offset
      offset = key + batchCount(value)
    }
    return offset
  }

  /** The offset below which about as much lies as stands on disk beyond `bytes`, in `batchesMax` batches at the most. */
  offsetOfExcess(bytes: number, batchesMax: number): number {
    const stats = this.#batches.getStats() as Record<string, number>
    const pages = Number(stats.treeBranchPageCount) + Number(stats.treeLeafPageCount) + Number(stats.overflowPages)
    const stored = pages * Number(stats.pageSize)
    if (stored <= bytes) return 0
    const batches = Math.min(batchesMax, Math.ceil((Number(stats.entryCount) * (stored - bytes)) / stored))
    const keys = [...this.#batches.getKeys({ limit: batches + 1 })]
    return keys[batches] ?? this.end()
  }

  #baseOf(offset: number): number {
    const [base] = [...this.#batches.getKeys({ start: offset, reverse: true, limit: 1 })]
    return base ?? 0
  }
}
