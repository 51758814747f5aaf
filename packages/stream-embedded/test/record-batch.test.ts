import fc from 'fast-check'
import t from 'tap'
import {
  BATCH_BYTES_MAX,
  batchAppendedAtMs,
  batchCount,
  decodeBatch,
  encodeBatches,
  restampBatch,
  storedBytes,
} from '../src/record-batch.js'

const number = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 2 ** 32 - 1 }))

const record = fc.record({
  key: fc.string({ unit: 'grapheme', maxLength: 40 }),
  generation: number,
  attempt: number,
  value: fc.oneof(
    fc.uint8Array({ maxLength: 50 }),
    // So that some batches are cut, and some records are alone in theirs.
    fc.nat(BATCH_BYTES_MAX + 10).map((length) => new Uint8Array(length).fill(length % 251)),
  ),
})

t.test('what is encoded is what is decoded, in batches that are as large as they may be', async (t) => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 12 }), fc.nat(), fc.integer(), (records, base, appendedAtMs) => {
      const batches = encodeBatches(records, appendedAtMs)
      let offset = base
      const found = batches.flatMap((batch) => {
        const decoded = decodeBatch('calls', offset, batch)
        offset += batchCount(batch)
        return decoded
      })
      must(found.length === records.length, 'all are there')
      found.forEach((each, index) => {
        const { attempt, generation, key, value } = records[index] as (typeof records)[number]
        must(each.key === key && Buffer.compare(each.value, value) === 0, 'key and value')
        must((each.generation ?? 1) === generation && (each.attempt ?? 1) === attempt, 'turn')
        must(each.offset === base + index && each.appendedAtMs === appendedAtMs, 'offset and time')
      })
      for (const [index, batch] of batches.entries()) {
        must(batch.length <= BATCH_BYTES_MAX || batchCount(batch) === 1, 'no batch is too large')
        const next = batches[index + 1]
        const first = next && decodeBatch('calls', 0, next)[0]
        must(!first || batch.length + storedBytes(first) > BATCH_BYTES_MAX, 'no batch is cut too early')
      }
    }),
  )
  t.pass('100 runs')
})

t.test('the bytes of a record are told before it is encoded', async (t) => {
  fc.assert(
    fc.property(record, (each) => {
      const [batch] = encodeBatches([each], 0)
      const [empty] = encodeBatches([{ key: '', value: new Uint8Array() }], 0)
      const fixed = storedBytes({ key: '', value: new Uint8Array() })
      must((batch?.length ?? 0) - (empty?.length ?? 0) === storedBytes(each) - fixed, 'bytes')
    }),
  )
  t.pass('100 runs')
})

t.test('a batch can be given another time', async (t) => {
  const records = [
    { key: 'a', value: Buffer.from('1') },
    { key: 'b', value: Buffer.from('2') },
  ]
  const [batch = Buffer.alloc(0)] = encodeBatches(records, 1)
  const later = restampBatch(batch, 1_900_000_000_123)
  t.equal(batchAppendedAtMs(later), 1_900_000_000_123)
  t.strictSame(
    decodeBatch('calls', 0, later).map(({ key, value }) => key + Buffer.from(value)),
    ['a1', 'b2'],
  )
  t.strictSame(encodeBatches([], 1), [])
})

function must(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(what)
}
