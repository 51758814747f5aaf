import type { Environment, Table } from '@posthaste/storage'
import type { LogName, NewRecord } from '@posthaste/stream'
import type { Batch, EmbeddedLog } from './embedded-log.js'
import { LogEnd } from './log-end.js'
import { batchAppendedAtMs, batchCount, decodeBatch, encodeBatches } from './record-batch.js'

/** A log in an LMDB table: batches of records that were appended together, under the offset of their first one. */
export class BatchLog implements EmbeddedLog {
  readonly name: LogName
  readonly #batches: Table<number>
  readonly #end: LogEnd

  constructor(environment: Environment, name: LogName) {
    this.name = name
    this.#batches = environment.table(name)
    this.#end = new LogEnd(environment, name)
  }

  end(): number {
    return this.#end.read()
  }

  appendNow(records: readonly NewRecord[], appendedAtMs: number): number {
    return records.length > 0 ? this.appendBatchesNow(encodeBatches(records, appendedAtMs)) : this.end()
  }

  /** Returns where the first record of them stands. */
  appendBatchesNow(batches: readonly Buffer[]): number {
    const base = this.end()
    let end = base
    for (const batch of batches) {
      this.#batches.putSync(end, batch)
      end += batchCount(batch)
    }
    this.#end.moveNow(end)
    return base
  }

  read(offset: number): Batch | undefined {
    if (offset >= this.end()) return undefined
    // Whoever reads on from the end of a batch finds the next one there. A search costs ten times as much.
    const value = this.#batches.get(offset)
    if (value) return this.#decode(offset, value)
    for (const found of this.#batches.getRange({ start: this.#baseOf(offset), limit: 2 })) {
      const batch = this.#decode(found.key, found.value)
      if (batch.end > offset) return batch
    }
    return undefined
  }

  /** Where the batches begin that lie wholly below `offset`. */
  basesBelow(offset: number): number[] {
    const bases = [...this.#batches.getKeys({ end: offset })]
    // The last one may reach beyond.
    const last = bases.at(-1)
    if (last !== undefined && last + batchCount(this.#batches.get(last) as Buffer) > offset) bases.pop()
    return bases
  }

  /** Removes the batches that begin at these offsets. */
  removeNow(bases: readonly number[]): void {
    for (const base of bases) this.#batches.removeSync(base)
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

  #decode(base: number, value: Buffer): Batch {
    return { base, end: base + batchCount(value), records: decodeBatch(this.name, base, value) }
  }

  #baseOf(offset: number): number {
    const [base] = [...this.#batches.getKeys({ start: offset, reverse: true, limit: 1 })]
    return base ?? 0
  }
}
