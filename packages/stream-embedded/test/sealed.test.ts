import { PosthasteError, Sealer, type SealingKey } from '@posthaste/core'
import { LOG_NAMES, SealedStream, type StoredRecord, type Stream } from '@posthaste/stream'
import t from 'tap'
import { openStream, pull, record } from './open-stream.js'

const [first, second] = ['a', 'b'].map((id, index): SealingKey => ({ id, bytes: new Uint8Array(32).fill(index) })) as [
  SealingKey,
  SealingKey,
]
const MARK = 'what nobody is to read'

async function readAll(stream: Pick<Stream, 'follow'>): Promise<StoredRecord[]> {
  const found: StoredRecord[] = []
  for (const log of LOG_NAMES)
    for await (const { records } of stream.follow(log, 'start', { untilEnd: true })) found.push(...records)
  return found
}

const textOf = ({ value }: Pick<StoredRecord, 'value'>): string => Buffer.from(value).toString()

t.test('whatever goes to a stream is sealed there, and opened when it comes', async (t) => {
  const { stream } = await openStream(t)
  const sealed = new SealedStream(stream, new Sealer([first]))
  const consumer = await sealed.consume('group')
  const turn = record('one', MARK)
  for (const log of LOG_NAMES) await sealed.append(log, [turn])
  const [delivery] = await pull(consumer, 1)
  t.equal(delivery && textOf(delivery.record), MARK)
  t.equal(delivery?.begin(turn), 'fresh')
  const dueMs = Date.now()
  await delivery?.complete({
    timers: [{ ...turn, dueMs, attempt: 2 }],
    children: [record('child', MARK)],
    journal: [turn],
    notes: [turn],
    control: [turn],
  })
  await consumer.act({ key: 'other' }, { timers: [{ ...record('other', MARK), dueMs }] })
  for (let left = 3; left > 0; ) {
    for (const { record } of await pull(consumer, left)) {
      t.equal(textOf(record), MARK, record.key)
      left -= 1
    }
  }
  const [raw, opened] = [await readAll(stream), await readAll(sealed)]
  t.strictSame(
    raw.map((one) => one.key),
    opened.map((one) => one.key),
  )
  t.ok(raw.length > 6)
  for (const one of raw) t.ok(textOf(one).startsWith('{"v":2,"sealed":"a"') && !textOf(one).includes(MARK), one.log)
  for (const one of opened) t.equal(textOf(one), MARK, one.log)
})

t.test('nothing is sealed where a key has nothing under it, and what others wrote comes as it is', async (t) => {
  const { stream } = await openStream(t)
  const sealed = new SealedStream(stream, new Sealer([first]))
  await sealed.append('control', [record('a', MARK)])
  await sealed.append('control', [record('a', '')])
  await stream.append('calls', [record('foreign', '{"target":"http://a"}')])
  const [call, ...control] = await readAll(sealed)
  t.equal(call && textOf(call), '{"target":"http://a"}')
  t.equal(control.at(-1)?.value.length, 0)
})

t.test('without its key it is delivered sealed, and not passed over by who follows', async (t) => {
  const { stream } = await openStream(t)
  await new SealedStream(stream, new Sealer([first])).append('calls', [record('one', MARK)])
  const without = new SealedStream(stream, new Sealer([second]))
  const [delivery] = await pull(await without.consume('group'), 1)
  t.match(delivery && textOf(delivery.record), /^\{"v":2,"sealed":"a"/)
  await t.rejects(readAll(without), { code: 'sealed' })
  t.equal((await readAll(new SealedStream(stream, new Sealer([second, first])))).map(textOf)[0], MARK)
})

t.test('a record can be as large as is said, and no larger', async (t) => {
  const { stream } = await openStream(t)
  const sealed = new SealedStream(stream, new Sealer([first]))
  const { recordBytesMax } = sealed.supports
  const value = Buffer.alloc(recordBytesMax, 1)
  await sealed.append('calls', [{ key: 'large', value }])
  const [large] = await readAll(sealed)
  t.ok(large && Buffer.from(large.value).equals(value))
  const error = await sealed
    .append('calls', [{ key: 'larger', value: Buffer.alloc(recordBytesMax + 1) }])
    .catch((e) => e)
  t.ok(error instanceof PosthasteError && error.code === 'too-large')
})
