import type { Delivery } from '@posthaste/stream'
import { Kafka, logLevel } from 'kafkajs'
import t from 'tap'
import { partitionOf } from '../src/partition-of.js'
import { endOf, GROUP, ofOneKey, pull, record, storageFor, textsOf, until, works } from './kafka-calls.js'
import { brokers, createTopic, type KafkaStorage, noBroker, withAdmin } from './kafka-harness.js'

if (noBroker) t.test('the Kafka stream', { skip: noBroker }, async () => undefined)
else tests()

function tests(): void {
  t.test('topics that would lose what waits are refused', async (t) => {
    const storage = storageFor(t)
    await createTopic(`${storage.prefix}.calls`, 4, { 'retention.ms': '1000' })
    const stream = storage.open()
    await t.rejects(stream.start(), { code: 'stream-unfit', message: /retention\.ms=1000 and must have -1/ })
    await withAdmin((admin) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [
          { type: 2, name: `${storage.prefix}.calls`, configEntries: [{ name: 'retention.ms', value: '-1' }] },
        ],
      }),
    )
    // A setting is acknowledged before the broker goes by it.
    await until(() => works(stream.start()))
    t.strictSame(await stream.health(), { ready: true }, 'once it is mended it may be started again')
    await stream.stop()
  })

  t.test('calls and journal must have as many partitions', async (t) => {
    const storage = storageFor(t)
    await createTopic(`${storage.prefix}.journal`, 2)
    await t.rejects(storage.open().start(), { code: 'stream-unfit', message: /4 partitions and .*journal 2/ })
  })

  t.test('the topic of clocks does not limit what can be taken', async (t) => {
    const storage = storageFor(t)
    const config = { 'message.timestamp.type': 'LogAppendTime', 'max.message.bytes': '10000' }
    await createTopic(`${storage.prefix}.clock`, 1, config)
    const stream = storage.open()
    await stream.start()
    await stream.append('calls', [record('a', 'a'.repeat(20_000))])
    t.ok(await stream.clockSkew())
    await stream.stop()
  })

  t.test('a broker that is not there is told at once, and a start may be repeated', async (t) => {
    const storage = storageFor(t)
    const stream = storage.open({ brokers: '127.0.0.1:1' })
    await t.rejects(stream.start(), { code: 'stream-unavailable' })
    await t.rejects(stream.start(), { code: 'stream-unavailable' })
    await stream.stop()
  })

  t.test('while the cluster is away appends are rejected at once', async (t) => {
    const storage = storageFor(t)
    const stream = storage.open()
    await stream.start()
    await stream.append('calls', [record('a')])
    storage.cut(stream)
    await t.rejects(stream.append('calls', [record('b')]), { code: 'stream-unavailable' })
    const startedMs = performance.now()
    await t.rejects(stream.append('calls', [record('c')]), { code: 'stream-unavailable' })
    t.ok(performance.now() - startedMs < 50)
    t.notOk((await stream.health()).ready)
    storage.mend(stream)
    await until(async () => (await stream.health()).ready)
    await stream.append('calls', [record('d')])
    await stream.stop()
  })

  t.test('when a group has lost its offsets, everything that is there is delivered', async (t) => {
    const storage = storageFor(t)
    const stream = storage.open()
    await stream.start()
    await stream.append('calls', ['a', 'b', 'c'].map(ofOneKey))
    const consumer = await stream.consume(GROUP)
    const deliveries = await pull(consumer, 3)
    await deliveries[0]?.complete({ journal: [endOf(deliveries[0])] })
    await until(async () => (await storage.low('calls')) > 0)
    await stream.stop()
    await withAdmin((admin) => admin.deleteGroups([`${storage.prefix}.${GROUP}`, `${storage.prefix}.${GROUP}.timers`]))

    const next = storage.open()
    await next.start()
    t.strictSame(textsOf(await pull(await next.consume(GROUP), 2)), ['b', 'c'], 'from the earliest')
    await next.stop()
  })

  t.test('a record of another producer has no key of ours, and its header is not needed', async (t) => {
    const storage = storageFor(t)
    const stream = storage.open()
    await stream.start()
    const producer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).producer()
    await producer.connect()
    await producer.send({ topic: `${storage.prefix}.calls`, messages: [{ key: 'theirs', value: 'by hand' }] })
    await producer.disconnect()
    const [delivery] = await pull(await stream.consume(GROUP), 1)
    t.match(delivery?.record, { key: '', log: 'calls' })
    t.strictSame(textsOf(delivery ? [delivery] : []), ['by hand'])
    await stream.stop()
  })

  t.test('after trimming, a restart goes on where it was', async (t) => {
    const storage = storageFor(t)
    const stream = storage.open()
    await stream.start()
    await stream.append('calls', ['a', 'b', 'c', 'd'].map(ofOneKey))
    const deliveries = await pull(await stream.consume(GROUP), 4)
    for (const delivery of [deliveries[0], deliveries[1], deliveries[3]] as Delivery[]) {
      await delivery.complete({ journal: [endOf(delivery)] })
    }
    await until(async () => (await storage.low('calls')) === 2)
    await storage.crash(stream)
    const next = storage.open()
    await next.start()
    const consumer = await next.consume(GROUP)
    t.strictSame(textsOf(await pull(consumer, 1)), ['c'])
    t.strictSame(await consumer.pull({ recordsMax: 1, bytesMax: 1, waitMs: 500 }), [])
    t.equal((await consumer.progress())[partitionOf('one-key', 4)]?.committed, 2)
    await next.stop()
  })

  t.test('what stands on no record is passed over', async (t) => {
    const storage = storageFor(t)
    const stream = storage.open()
    await stream.start()
    await inTransaction(storage, 'theirs')
    await stream.append('calls', [ofOneKey('ours')])
    const consumer = await stream.consume(GROUP)
    const deliveries = await pull(consumer, 2)
    t.strictSame(textsOf(deliveries), ['theirs', 'ours'])
    for (const delivery of deliveries) await delivery.complete({ journal: [endOf(delivery)] })
    const { committed, end } = (await consumer.progress())[partitionOf('one-key', 4)] ?? {}
    t.equal(committed, end, 'the mark that ends a transaction is no hole')
    await stream.stop()
  })

  t.test('a timer that waits for longer than a lane goes on in time', async (t) => {
    const storage = storageFor(t)
    const stream = storage.open()
    await stream.start()
    const consumer = await stream.consume(GROUP)
    await stream.append('calls', [record('a')])
    const [cause] = (await pull(consumer, 1)) as [Delivery]
    const dueMs = Date.now() + 6_500
    await cause.complete({ timers: [{ ...ofOneKey('late'), attempt: 2, dueMs }], journal: [endOf(cause)] })
    await until(async () => !(await consumer.progress()).some(({ overdue }) => overdue))
    t.ok(Date.now() < dueMs - 1_000, 'what waits is not overdue')
    const [delivery] = (await pull(consumer, 1)) as [Delivery]
    const lateMs = Date.now() - dueMs
    t.ok(lateMs >= 0 && lateMs < 3_000, `${lateMs} ms late`)
    t.equal(delivery.record.attempt, 2)
    t.equal(delivery.record.partition, cause.record.partition, 'where its cause was')
    await until(async () => (await storage.low('timers.short')) > 0 && (await storage.low('timers.4')) > 0)
    t.pass('lanes are trimmed')
    await stream.stop()
  })
}

/** Writes a record to the partition of our key as others may do, with the mark of a transaction behind it. */
async function inTransaction(storage: KafkaStorage, value: string): Promise<void> {
  const producer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).producer({
    idempotent: true,
    transactionalId: storage.prefix,
    maxInFlightRequests: 1,
  })
  await producer.connect()
  const transaction = await producer.transaction()
  const messages = [{ key: 'theirs', value, partition: partitionOf('one-key', 4) }]
  await transaction.send({ topic: `${storage.prefix}.calls`, messages })
  await transaction.commit()
  await producer.disconnect()
}
