import type { LogName, NewRecord, StoredRecord, Turn } from '@posthaste/stream'

/**
 * Records are stored in batches, one LMDB value each: a batch costs one insertion and one removal however many records
 * it holds, and records lie close together on disk. Layout, little-endian:
 *
 *     u32 count, f64 appendedAtMs, then for each record: u16 key bytes, u32 value bytes, key (UTF-8), turn, value
 *
 * The turn is u32 generation, u32 attempt. It is left out where both are 1; the highest bit of the key bytes tells.
 */
const HEADER_BYTES = 12
const RECORD_HEADER_BYTES = 6
const TURN_BYTES = 8
const HAS_TURN = 0x8000

/**
 * Batches are cut at four pages, less what LMDB adds, for it wants adjacent ones: of larger pieces that come and go, gaps
 * are left that fit nothing, and its list of them is worked through with each commit. A larger record is alone in its
 * batch.
 */
export const BATCH_BYTES_MAX = 4 * 4_096 - 40

/** Bytes that a record takes in a batch. */
export function storedBytes(record: NewRecord): number {
  return RECORD_HEADER_BYTES + Buffer.byteLength(record.key) + turnBytes(record) + record.value.length
}

function turnBytes({ attempt = 1, generation = 1 }: Turn): number {
  return attempt === 1 && generation === 1 ? 0 : TURN_BYTES
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
    at = writeRecord(batch, at, records[index] as NewRecord)
  }
  return batch
}

/** Returns where it ends. */
function writeRecord(batch: Buffer, at: number, record: NewRecord): number {
  const { attempt = 1, generation = 1, key, value } = record
  const keyBytes = batch.write(key, at + RECORD_HEADER_BYTES)
  const keyEnd = at + RECORD_HEADER_BYTES + keyBytes
  const valueAt = keyEnd + turnBytes(record)
  batch.writeUInt16LE(valueAt > keyEnd ? keyBytes | HAS_TURN : keyBytes, at)
  batch.writeUInt32LE(value.length, at + 2)
  if (valueAt > keyEnd) batch.writeUInt32LE(attempt, batch.writeUInt32LE(generation, keyEnd))
  batch.set(value, valueAt)
  return valueAt + value.length
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
    const keyBytes = batch.readUInt16LE(at)
    const keyEnd = at + RECORD_HEADER_BYTES + (keyBytes & ~HAS_TURN)
    const valueAt = keyBytes & HAS_TURN ? keyEnd + TURN_BYTES : keyEnd
    const valueEnd = valueAt + batch.readUInt32LE(at + 2)
    const record = {
      log,
      partition: 0,
      offset: baseOffset + index,
      key: batch.toString('utf8', at + RECORD_HEADER_BYTES, keyEnd),
      value: batch.subarray(valueAt, valueEnd),
      appendedAtMs,
    }
    records.push(valueAt > keyEnd ? { ...record, ...readTurn(batch, keyEnd) } : record)
    at = valueEnd
  }
  return records
}

function readTurn(batch: Buffer, at: number): Omit<Turn, 'key'> {
  return { generation: batch.readUInt32LE(at), attempt: batch.readUInt32LE(at + 4) }
}
