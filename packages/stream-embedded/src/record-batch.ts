import type { LogName, NewRecord, StoredRecord } from '@posthaste/stream'

/**
 * Records are stored in batches, one LMDB value each: a batch costs one insertion and one removal however many records
 * it holds, and records lie close together on disk. Layout, little-endian:
 *
 *     u32 count, f64 appendedAtMs, then for each record: u16 key bytes, u32 value bytes, key (UTF-8), value
 */
const HEADER_BYTES = 12
const RECORD_HEADER_BYTES = 6

/**
 * Batches are cut at four pages, less what LMDB adds, for it wants adjacent ones: of larger pieces that come and go, gaps
 * are left that fit nothing, and its list of them is worked through with each commit. A larger record is alone in its
 * batch.
 */
export const BATCH_BYTES_MAX = 4 * 4_096 - 40

/** Bytes that a record takes in a batch. */
export function storedBytes(record: NewRecord): number {
  return RECORD_HEADER_BYTES + Buffer.byteLength(record.key) + record.value.length
}

/** Cuts `records` into batches, in order. */
export function encodeBatches(records: readonly NewRecord[], appendedAtMs: number): Buffer[] {
  const batches: Buffer[] = []
  let first = 0
  let bytes = HEADER_BYTES
  records.forEach((record, index) => {
    const more = storedBytes(record)
    if (index > first && bytes + more > BATCH_BYTES_MAX) {
      batches.push(encodeBatch(records, first, index, bytes, appendedAtMs))
      first = index
      bytes = HEADER_BYTES
    }
    bytes += more
  })
  if (records.length > first) batches.push(encodeBatch(records, first, records.length, bytes, appendedAtMs))
  return batches
}

function encodeBatch(
  records: readonly NewRecord[],
  from: number,
  to: number,
  bytes: number,
  appendedAtMs: number,
): Buffer {
  const batch = Buffer.allocUnsafe(bytes)
  batch.writeUInt32LE(to - from, 0)
  batch.writeDoubleLE(appendedAtMs, 4)
  let at = HEADER_BYTES
  for (let index = from; index < to; index += 1) {
    const { key, value } = records[index] as NewRecord
    const keyBytes = batch.write(key, at + RECORD_HEADER_BYTES)
    batch.writeUInt16LE(keyBytes, at)
    batch.writeUInt32LE(value.length, at + 2)
    batch.set(value, at + RECORD_HEADER_BYTES + keyBytes)
    at += RECORD_HEADER_BYTES + keyBytes + value.length
  }
  return batch
}

export function batchCount(batch: Buffer): number {
  return batch.readUInt32LE(0)
}

export function batchAppendedAtMs(batch: Buffer): number {
  return batch.readDoubleLE(4)
}

/** The same batch, appended at another time. */
export function restampBatch(batch: Buffer, appendedAtMs: number): Buffer {
  batch.writeDoubleLE(appendedAtMs, 4)
  return batch
}

/** Reads a batch whose first record stands at `baseOffset`. Values are views of `batch`. */
export function decodeBatch(log: LogName, baseOffset: number, batch: Buffer): StoredRecord[] {
  const appendedAtMs = batchAppendedAtMs(batch)
  const records: StoredRecord[] = []
  let at = HEADER_BYTES
  for (let index = 0; index < batchCount(batch); index += 1) {
    const keyEnd = at + RECORD_HEADER_BYTES + batch.readUInt16LE(at)
    const valueEnd = keyEnd + batch.readUInt32LE(at + 2)
    records.push({
      log,
      partition: 0,
      offset: baseOffset + index,
      key: batch.toString('utf8', at + RECORD_HEADER_BYTES, keyEnd),
      value: batch.subarray(keyEnd, valueEnd),
      appendedAtMs,
    })
    at = valueEnd
  }
  return records
}
