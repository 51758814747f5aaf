import { createHash } from 'node:crypto'
import type { Environment, Table } from '@posthaste/storage'
import type { LogName, NewRecord, StoredRecord } from '@posthaste/stream'
import type { Batch, EmbeddedLog } from './embedded-log.js'
import { LogEnd } from './log-end.js'
import { decodeBatch, encodeBatches } from './record-batch.js'

const READ_RECORDS_MAX = 256

/**
 * A log of which the last record of each key is kept: one that is appended removes the one before, in the same
 * transaction. An empty one says that there is nothing any more. It stands for those who follow, until `dropEmptyNow`.
 */
export class KeyedLog implements EmbeddedLog {
  readonly name: LogName
  readonly #end: LogEnd
  /** By offset, each a batch of its own. */
  readonly #records: Table<number>
  /** Where the record of a key stands. */
  readonly #offsets: Table<string>
  /** The offsets of those that are empty. */
  readonly #empty: Table<number>

  constructor(environment: Environment, name: LogName) {
    this.name = name
    this.#end = new LogEnd(environment, name)
    this.#records = environment.table(name)
    this.#offsets = environment.table(`${name}-offsets`)
    this.#empty = environment.table(`${name}-empty`)
  }

  end(): number {
    return this.#end.read()
  }

  appendNow(records: readonly NewRecord[], appendedAtMs: number): number {
    const base = this.end()
    let end = base
    for (const record of records) {
      this.#replaceNow(record, end, appendedAtMs)
      end += 1
    }
    if (end > base) this.#end.moveNow(end)
    return base
  }

  read(offset: number): Batch | undefined {
    const records: StoredRecord[] = []
    for (const { key, value } of this.#records.getRange({ start: offset, limit: READ_RECORDS_MAX })) {
      records.push(...decodeBatch(this.name, key, value))
    }
    const [first, last] = [records[0], records.at(-1)]
    return first && last && { base: first.offset, end: last.offset + 1, records }
  }

  /** Where the first empty records stand, `recordsMax` at the most, that were appended before `beforeMs`. */
  emptyBefore(beforeMs: number, recordsMax: number): number[] {
    const offsets: number[] = []
    for (const { key, value } of this.#empty.getRange({ limit: recordsMax })) {
      if (value.readDoubleLE(0) >= beforeMs) break
      offsets.push(key)
    }
    return offsets
  }

  /** Removes the empty records that stand there, and nothing else. */
  dropEmptyNow(offsets: readonly number[]): void {
    for (const offset of offsets) {
      const [record] = this.#empty.get(offset) ? this.#decode(offset) : []
      if (!record) continue
      this.#offsets.removeSync(slotOf(record.key))
      this.#removeNow(offset)
    }
  }

  #replaceNow(record: NewRecord, offset: number, appendedAtMs: number): void {
    const slot = slotOf(record.key)
    const before = this.#offsets.get(slot)
    if (before) this.#removeNow(before.readDoubleLE(0))
    const [batch] = encodeBatches([record], appendedAtMs) as [Buffer]
    this.#records.putSync(offset, batch)
    this.#offsets.putSync(slot, bytesOf(offset))
    if (record.value.length === 0) this.#empty.putSync(offset, bytesOf(appendedAtMs))
  }

  #removeNow(offset: number): void {
    this.#records.removeSync(offset)
    this.#empty.removeSync(offset)
  }

  #decode(offset: number): StoredRecord[] {
    const batch = this.#records.get(offset)
    return batch ? decodeBatch(this.name, offset, batch) : []
  }
}

/** A key of any length and any characters, the empty one too, as LMDB takes it. */
function slotOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url')
}

function bytesOf(number: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeDoubleLE(number)
  return bytes
}
