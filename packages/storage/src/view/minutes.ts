import type { Table } from '../environment.js'
import { TIME_BYTES, writeTime } from './keys.js'

export const MINUTE_MS = 60_000
/** So few that a portion of retention is short. */
const KEYS_MAX = 500
const NUMBER_BYTES = 6

/** Keys of another table that have the same minute. */
export interface MinuteChunk {
  /** Where the minute begins. */
  readonly fromMs: number
  /** Where it ends. */
  readonly toMs: number
  readonly keys: readonly Buffer[]
  /** Where the chunk itself is kept. */
  readonly key: Buffer
}

/**
 * Remembers minutes of keys, so that they can be looked at again in that order: in chunks, for one costs as much to write
 * as a key alone. A key may be remembered under several minutes. Methods that end in `Now` are for use inside
 * `Environment.commit`.
 */
export class Minutes {
  readonly #table: Table<Buffer>

  constructor(table: Table<Buffer>) {
    this.#table = table
  }

  /** `nextNumber` gives one that it never gave before. */
  addNow(keysByMinute: ReadonlyMap<number, readonly Buffer[]>, nextNumber: () => number): void {
    for (const [minute, keys] of keysByMinute) {
      for (let first = 0; first < keys.length; first += KEYS_MAX) {
        const key = Buffer.allocUnsafe(TIME_BYTES + NUMBER_BYTES)
        writeTime(minute * MINUTE_MS, key, 0)
        key.writeUIntBE(nextNumber(), TIME_BYTES, NUMBER_BYTES)
        this.#table.putSync(key, packed(keys.slice(first, first + KEYS_MAX)))
      }
    }
  }

  removeNow({ key }: MinuteChunk): void {
    this.#table.removeSync(key)
  }

  /** The first ones of all. */
  oldest(limit: number): MinuteChunk[] {
    return [...this.#table.getRange({ start: Buffer.alloc(1), end: Buffer.alloc(1, 0xff), limit })].map(
      ({ key, value }) => {
        const fromMs = key.readUIntBE(0, TIME_BYTES)
        return { fromMs, toMs: fromMs + MINUTE_MS, keys: unpacked(value), key }
      },
    )
  }
}

export function minuteOf(ms: number): number {
  return Math.max(0, Math.floor(ms / MINUTE_MS))
}

/** Each key behind its length. */
function packed(keys: readonly Buffer[]): Buffer {
  const bytes = Buffer.allocUnsafe(keys.reduce((sum, key) => sum + 2 + key.length, 0))
  let at = 0
  for (const key of keys) {
    at = bytes.writeUInt16LE(key.length, at)
    at += key.copy(bytes, at)
  }
  return bytes
}

function unpacked(bytes: Buffer): Buffer[] {
  const keys: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + bytes.readUInt16LE(at)
    keys.push(bytes.subarray(at + 2, end))
    at = end
  }
  return keys
}
