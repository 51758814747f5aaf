import type { Consumer, Delivery, LogName, Turn } from '@posthaste/stream'
import { Kafka, logLevel } from 'kafkajs'
import t from 'tap'
import { decodeCheckpoint } from '../src/checkpoint-codec.js'
import { partitionOf } from '../src/partition-of.js'
import { endOf, GROUP, ofOneKey, pull, record, storageFor, textsOf, until } from './kafka-calls.js'
import { brokers, createTopic, type KafkaStorage, noBroker, withAdmin } from './kafka-harness.js'

/** An entry that was written without a record in hand says so in this header; here it is written by hand, as late owners do. */
const ACTED = 'posthaste-acted'
const PARTITION = partitionOf('one-key', 4)

if (noBroker) t.test('what is done without a delivery on Kafka', { skip: noBroker }, async () => undefined)
else tests()

function tests(): void {
  t.test('the next owner knows of the end of a turn that was not in hand, and need not keep it', async (t) => {
    const storage = storageFor(t)
    const { consumer, stream } = await owning(storage)
    const turn = turnOf(ofOneKey('waits'))
    t.equal(await consumer.act(turn, { journal: [about(turn, 'cancelled')] }), 'done')
    await storage.crash(stream)

    const next = storage.open()
    await next.start()
    const successor = await next.consume(GROUP)
    await next.append('calls', [about(turn, 'late'), ofOneKey('other')])
    const [other] = (await pull(successor, 1)) as [Delivery]
    t.strictSame(textsOf([other]), ['other'], 'its record is a copy')
    t.equal(String(await toText(successor.act(turn, {}))), 'cancelled')
    t.equal(await other.complete({ journal: [endOf(other)], notes: [about(turn, 'noted')] }), 'done')
    await until(async () => (await journalPosition(storage)) === 4)
    t.pass('of the journal nothing is to be read again: a cause, an act, an end and a note')
    await next.stop()
  })

  t.test('what an owner of before did late for a turn takes it', async (t) => {
    const storage = storageFor(t)
    const { consumer, stream } = await owning(storage)
    await stream.append('calls', [ofOneKey('a'), ofOneKey('b')])
    const [a, b] = (await pull(consumer, 2)) as [Delivery, Delivery]
    await writeLate(storage, a.record, 'cancelled')
    t.equal(await a.complete({ journal: [endOf(a)], children: [ofOneKey('child')] }), 'lost')
    const [again] = await consumer.pull({ recordsMax: 10, bytesMax: 1e9, waitMs: 15_000 })
    t.equal(again?.record.offset, a.record.offset)
    t.equal(await again?.begin(a.record), 'copy')
    t.equal(await again?.complete(), 'done')

    await writeLate(storage, b.record, 'cancelled too')
    const turn = turnOf(ofOneKey('c'))
    await writeLate(storage, turn, 'cancelled by another')
    t.equal(
      await toText(consumer.act(turn, { journal: [about(turn, 'ours')], control: [record('a')] })),
      'cancelled by another',
    )
    t.equal(await b.complete({ journal: [endOf(b)] }), 'lost', 'what stood in the same gap')
    await stream.stop()
    t.strictSame(await readAll(storage, 'control'), [])
  })

  t.test('who loses the partition while acting writes nothing that follows', { timeout: 60_000 }, async (t) => {
    const storage = storageFor(t)
    const { consumer, stream } = await owning(storage)
    const turn = turnOf(ofOneKey('waits'))
    const effects = (text: string) => ({ journal: [about(turn, text)], control: [record(text)] })
    storage.cut(stream)
    const acting = consumer.act(turn, effects('first'))
    const next = storage.open()
    await next.start()
    const successor = await next.consume(GROUP)
    await until(async () => (await toText(successor.act(turn, effects('second')))) === 'done')
    storage.mend(stream)
    t.equal(await acting, 'elsewhere')
    t.equal((await readAll(storage, 'journal'))[1], 'second', 'after the end of the cause')
    t.strictSame(await readAll(storage, 'control'), ['second'])
    await Promise.all([stream.stop(), next.stop()])
  })

  t.test('of a note that was written late the end of another turn shows nothing', async (t) => {
    const storage = storageFor(t)
    const { consumer, stream } = await owning(storage)
    await stream.append('calls', [ofOneKey('a'), ofOneKey('b')])
    const [a, b] = (await pull(consumer, 2)) as [Delivery, Delivery]
    const dueMs = Date.now() + 60_000
    await writeLate(storage, b.record, 'cancelled')
    t.equal(await a.complete({ timers: [{ ...a.record, dueMs }], notes: [about(a.record, 'put off')] }), 'done')
    t.equal(await b.complete({ journal: [endOf(b)] }), 'lost', 'the note does not hide what stands before it')
    await stream.stop()
  })

  t.test('a delivery waits to be begun while something is done for its turn', async (t) => {
    const storage = storageFor(t)
    const { consumer, stream } = await owning(storage)
    const waiting = ofOneKey('waits')
    await stream.append('calls', [waiting])
    const [delivery] = (await consumer.pull({ recordsMax: 1, bytesMax: 1e9, waitMs: 15_000 })) as [Delivery]
    const acting = consumer.act(waiting, { journal: [about(waiting, 'cancelled')] })
    const begun = delivery.begin(waiting)
    t.not(begun, 'fresh')
    t.equal(await acting, 'done')
    t.equal(await begun, 'copy')
    t.equal(await delivery.complete(), 'done')
    await stream.stop()
  })

  t.test('whoever has a turn in hand is left to it', async (t) => {
    const storage = storageFor(t)
    const { consumer, stream } = await owning(storage)
    await stream.append('calls', [ofOneKey('a')])
    const [delivery] = (await pull(consumer, 1)) as [Delivery]
    t.equal(await consumer.act(delivery.record, { journal: [about(delivery.record, 'cancelled')] }), 'elsewhere')
    t.equal(await delivery.complete({ journal: [endOf(delivery)] }), 'done')
    await stream.stop()
    t.equal(await consumer.act(ofOneKey('b'), {}), 'elsewhere', 'who has stopped owns nothing')
  })

  t.test('logs may have numbers of partitions of their own, and what they keep is set', async (t) => {
    const storage = storageFor(t)
    await createTopic(`${storage.prefix}.control`, 2, { 'cleanup.policy': 'compact' })
    const stream = storage.open({ claimRetentionMs: 7_200_000 })
    await stream.start()
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`)
    await stream.append(
      'control',
      keys.map((key) => record(key)),
    )
    const found: string[] = []
    for await (const { records } of stream.follow('control', 'start', { untilEnd: true })) {
      found.push(...records.map(({ key }) => key))
    }
    t.strictSame(found.sort(), [...keys].sort())
    await stream.stop()
    t.match(await configOf(storage, 'claims'), { 'cleanup.policy': 'delete', 'retention.ms': '7200000' })

    const other = storageFor(t)
    const fresh = other.open()
    await fresh.start()
    t.match(await configOf(other, 'control'), { 'cleanup.policy': 'compact', 'delete.retention.ms': '604800000' })
    await fresh.stop()
  })

  t.test('what a transaction gave up holds up nobody who follows', async (t) => {
    const storage = storageFor(t)
    const stream = storage.open()
    await stream.start()
    await stream.append('calls', [ofOneKey('ours')])
    let before: { position: string; endedMs: number } | undefined
    const seen: number[] = []
    for await (const { asOfMs = 0, position, records } of stream.follow('calls', 'start', { beats: true })) {
      seen.push(...records.map(({ offset }) => offset))
      if (asOfMs > 0 && !before) {
        await abortTransaction(storage)
        before = { position, endedMs: performance.now() }
      } else if (before && asOfMs > before.endedMs) break
    }
    t.strictSame(seen, [0], 'it is known that there is nothing more')
    for await (const { records } of stream.follow('calls', before?.position ?? 'start', { untilEnd: true })) {
      t.strictSame(records, [])
    }
    await stream.stop()
  })
}

/** A member that owns the key: it has completed a record of it. */
async function owning(storage: KafkaStorage) {
  const stream = storage.open()
  await stream.start()
  const consumer: Consumer = await stream.consume(GROUP)
  await stream.append('calls', [ofOneKey('cause')])
  const [cause] = (await pull(consumer, 1)) as [Delivery]
  await cause.complete({ journal: [endOf(cause)] })
  return { consumer, stream }
}

async function readAll(storage: KafkaStorage, log: LogName): Promise<string[]> {
  const stream = storage.open()
  await stream.start()
  const texts: string[] = []
  for await (const { records } of stream.follow(log, 'start', { untilEnd: true })) {
    texts.push(...records.map(({ value }) => Buffer.from(value).toString()))
  }
  await stream.stop()
  return texts
}

function turnOf({ attempt = 1, key }: Turn): Turn {
  return { key, generation: 1, attempt }
}

function about(turn: Turn, text: string) {
  return { ...turnOf(turn), value: Buffer.from(text) }
}

async function toText(answer: ReturnType<Consumer['act']>): Promise<string> {
  return Buffer.from(await answer).toString()
}

async function writeLate(storage: KafkaStorage, { attempt = 1, generation = 1 }: Turn, value: string): Promise<void> {
  const producer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  const headers = { 'posthaste-turn': `${generation}.${attempt}`, [ACTED]: 'before' }
  const messages = [{ key: 'one-key', value, headers, partition: PARTITION }]
  await producer.send({ topic: `${storage.prefix}.journal`, messages })
  await producer.disconnect()
}

async function abortTransaction(storage: KafkaStorage): Promise<void> {
  const producer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).producer({
    idempotent: true,
    transactionalId: storage.prefix,
    maxInFlightRequests: 1,
  })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic: `${storage.prefix}.calls`, messages: [{ value: 'given up', partition: PARTITION }] })
  await transaction.abort()
  await producer.disconnect()
}

/** Where the next owner of the key would begin to read the journal, as the group was told. */
async function journalPosition(storage: KafkaStorage): Promise<number | undefined> {
  const groupId = `${storage.prefix}.${GROUP}`
  const [answer] = await withAdmin((admin) => admin.fetchOffsets({ groupId, topics: [`${storage.prefix}.calls`] }))
  const found = answer?.partitions.find(({ partition }) => partition === PARTITION)
  return decodeCheckpoint(Number(found?.offset), found?.metadata)?.marks
}

async function configOf(storage: KafkaStorage, name: string): Promise<Record<string, string>> {
  const resources = [{ type: 2, name: `${storage.prefix}.${name}` }]
  const found = await withAdmin((admin) => admin.describeConfigs({ includeSynonyms: false, resources }))
  const entries = found.resources[0]?.configEntries ?? []
  return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]))
}
