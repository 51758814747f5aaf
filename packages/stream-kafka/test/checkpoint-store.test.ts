import { EventEmitter, once } from 'node:events'
import type { OffsetRange } from '@posthaste/core'
import { type Checkpoint, NEW_CHECKPOINT } from '@posthaste/storage'
import { checkpointStoreContract } from '@posthaste/storage/contract'
import { Kafka, logLevel, Partitioners, type Transaction } from 'kafkajs'
import t, { type Test } from 'tap'
import { KafkaCheckpointStore } from '../src/kafka-checkpoint-store.js'
import { translate } from '../src/kafka-errors.js'
import type { KafkaStreamOptions } from '../src/kafka-options.js'
import { encodeStored } from '../src/stored-checkpoint.js'
import { checkpointHarness } from './checkpoint-harness.js'
import { GROUP, oneOfEachPartition, pull, storageFor, until } from './kafka-calls.js'
import { brokers, Line, noBroker, optionsFor, silent, withAdmin } from './kafka-harness.js'

if (noBroker) t.test('checkpoints in Kafka', { skip: noBroker }, async () => undefined)
else tests()

function tests(): void {
  t.test('the contract', async (t) => checkpointStoreContract(t, checkpointHarness))

  t.test('who only looks waits for what is being saved', async (t) => {
    const { id, prefix, store, topic } = await open(t)
    let sawUnstable = (): void => undefined
    const unstable = new Promise<void>((resolve) => {
      sawUnstable = resolve
    })
    const debug = (fields: object): void => {
      if (JSON.stringify(fields).includes('unstable offsets')) sawUnstable()
    }
    const onlooker = await openStore(t, { ...optionsFor(prefix), log: { ...silent, debug } })
    const { epoch } = await store.claim('a')
    await store.save('a', epoch, at(1))
    const transaction = await begin(t, id)
    const metadata = encodeStored({ epoch, checkpoint: at(2) })
    await transaction.sendOffsets(offsetsOf({ id, topic, offset: 2, metadata }))
    const read = onlooker.read('a')
    await Promise.race([unstable, read])
    await transaction.commit()
    t.strictSame(await read, at(2))
  })

  t.test('what an owner left half saved is gone with the next claim', async (t) => {
    const { id, store, topic } = await open(t)
    const { epoch } = await store.claim('a')
    await store.save('a', epoch, at(1))
    const transaction = await begin(t, id)
    const metadata = encodeStored({ epoch, checkpoint: at(2) })
    await transaction.sendOffsets(offsetsOf({ id, topic, offset: 2, metadata }))
    const claim = await store.claim('a')
    t.strictSame(claim.checkpoint, at(1))
    t.ok(claim.epoch > epoch)
    await t.rejects(transaction.commit(), 'it is fenced')
    t.strictSame(await store.read('a'), at(1))
  })

  t.test('an owner of before does not fence the one of now', async (t) => {
    const { prefix, store } = await open(t)
    const line = new Line()
    const other = await openStore(t, { ...optionsFor(prefix), openSocket: line.open })
    const old = await store.claim('a')
    const now = await other.claim('a')
    const { opened } = line
    t.equal(await store.save('a', old.epoch, at(1)), 'refused')
    t.equal(await store.save('a', old.epoch, at(1)), 'refused')
    t.equal(await other.save('a', now.epoch, at(2)), 'saved')
    t.equal(line.opened, opened, 'it is the same producer that saved')
  })

  t.test('what does not fit into the metadata of an offset is told, and the checkpoint before holds', async (t) => {
    const { id, prefix, topic } = await open(t)
    const line = new Line()
    const store = await openStore(t, { ...optionsFor(prefix), openSocket: line.open })
    const { epoch } = await store.claim('a')
    await store.save('a', epoch, at(1))
    const { opened } = line
    await t.rejects(store.save('a', epoch, { ...at(2), beyond: scattered(5_000) }), { code: 'too-large' })
    t.strictSame(await store.read('a'), at(1))
    const large = { ...at(3), beyond: scattered(400), journal: `${2 ** 53 - 1} ${2 ** 53 - 1} released` }
    t.equal(await store.save('a', epoch, large), 'saved', 'as many ranges as the stream lets there be')
    t.strictSame(await store.read('a'), large)
    t.equal(line.opened, opened, 'it is the same producer that saved')
    const transaction = await begin(t, id)
    const offsets = offsetsOf({ id, topic, offset: 4, metadata: 'a'.repeat(5_000) })
    t.match(await transaction.sendOffsets(offsets).catch(translate), { code: 'too-large' }, 'what the broker says')
  })

  t.test('what is owned is saved again, before Kafka forgets it', async (t) => {
    const { id, store } = await open(t, 50)
    const { epoch } = await store.claim('a')
    await store.save('a', epoch, at(1))
    await withAdmin((admin) => admin.deleteGroups([id]))
    await until(async () => (await store.read('a')).offset === 1)
    t.equal(await store.save('a', epoch, at(2)), 'saved')
  })

  t.test('and if that fails, the next time', async (t) => {
    const { prefix } = storageFor(t)
    const line = new Line()
    const told = new EventEmitter()
    const log = { ...silent, debug: (_: object, message?: string) => void told.emit(message ?? '') }
    const store = await openStore(t, { ...optionsFor(prefix), openSocket: line.open, log }, 50)
    const { epoch } = await store.claim('a')
    await store.save('a', epoch, at(1))
    // To renew is no reason for a process to go on.
    const alive = setInterval(() => undefined, 1_000)
    t.teardown(() => clearInterval(alive))
    line.cut()
    await once(told, 'a checkpoint cannot be renewed now')
    line.mend()
    await once(told, 'a checkpoint was renewed')
    await withAdmin((admin) => admin.deleteGroups([`${prefix}.checkpoints.a`]))
    await until(async () => (await store.read('a')).offset === 1)
  })

  t.test('epochs rise although Kafka has forgotten those before', async (t) => {
    const { id, prefix, store } = await open(t)
    const { epoch } = await store.claim('a')
    await store.save('a', epoch, at(1))
    await withAdmin((admin) => admin.deleteGroups([id]))
    const other = await openStore(t, optionsFor(prefix))
    const claim = await other.claim('a')
    t.strictSame(claim.checkpoint, NEW_CHECKPOINT)
    t.ok(claim.epoch > epoch)
    t.equal(await store.save('a', epoch, at(2)), 'refused')
  })

  t.test('a stream whose partition is claimed by one who is late takes it over again', async (t) => {
    const storage = storageFor(t)
    const checkpoints = await openStore(t, optionsFor(storage.prefix))
    const stream = storage.open({ checkpoints })
    t.teardown(() => stream.stop())
    await stream.start()
    const consumer = await stream.consume(GROUP)
    await stream.append('calls', oneOfEachPartition())
    for (const delivery of await pull(consumer, 4)) await delivery.complete()
    const key = `${storage.prefix}.${GROUP}/0`
    await until(async () => (await checkpoints.read(key)).offset === 1)
    const late = await openStore(t, optionsFor(storage.prefix))
    const { epoch } = await late.claim(key)
    await stream.append('calls', oneOfEachPartition())
    for (const delivery of await pull(consumer, 4)) await delivery.complete()
    // The owner learns of it when it saves: what it could not save comes again.
    for (const delivery of await pull(consumer, 1)) await delivery.complete()
    await until(async () => (await checkpoints.read(key)).offset === 2)
    t.equal(await late.save(key, epoch, at(9)), 'refused', 'the owner has claimed it')
    await stream.stop()
    t.match(await late.read(key), { offset: 2, journal: / released$/ })
  })

  t.test('a cluster that is not there is told', async (t) => {
    const options = { ...optionsFor('nowhere'), brokers: '127.0.0.1:1' }
    await t.rejects(KafkaCheckpointStore.open(options), { code: 'stream-unavailable' })
  })
}

interface Opened {
  readonly prefix: string
  readonly topic: string
  /** Of the key `a`: its group, and its producer. */
  readonly id: string
  readonly store: KafkaCheckpointStore
}

async function open(t: Test, renewEveryMs?: number): Promise<Opened> {
  const { prefix } = storageFor(t)
  const topic = `${prefix}.checkpoints`
  return { prefix, topic, id: `${topic}.a`, store: await openStore(t, optionsFor(prefix), renewEveryMs) }
}

async function openStore(t: Test, options: KafkaStreamOptions, renewEveryMs?: number): Promise<KafkaCheckpointStore> {
  const store = await KafkaCheckpointStore.open(options, renewEveryMs)
  t.teardown(() => store.close())
  return store
}

/** Begins a transaction as another owner would. */
async function begin(t: Test, transactionalId: string): Promise<Transaction> {
  const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ transactionalId, createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  t.teardown(() => producer.disconnect())
  return producer.transaction()
}

interface Committed {
  readonly id: string
  readonly topic: string
  readonly offset: number
  readonly metadata: string
}

function offsetsOf({ id, metadata, offset, topic }: Committed) {
  const partitions = [{ partition: 0, offset: String(offset), metadata }]
  return { consumerGroupId: id, topics: [{ topic, partitions }] }
}

function at(offset: number): Checkpoint {
  return { offset, beyond: [[offset + 1, offset + 3]], journal: `${offset} ${offset}` }
}

/** Ranges at distances that no compression finds a pattern in. */
function scattered(count: number): OffsetRange[] {
  let seed = 1
  let end = 1_000
  const step = (): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return 1 + (seed % 5_000)
  }
  return Array.from({ length: count }, () => {
    const from = end + step()
    end = from + step()
    return [from, end] as const
  })
}
