import { EventEmitter, once } from 'node:events'
import type { Checkpoint, CheckpointStore, Claim, Saved } from '@posthaste/storage'
import type { Consumer, Delivery } from '@posthaste/stream'
import t, { type Test } from 'tap'
import { KafkaCheckpointStore } from '../src/kafka-checkpoint-store.js'
import type { KafkaStreamOptions } from '../src/kafka-options.js'
import { GROUP, oneOfEachPartition, pull, storageFor, until } from './kafka-calls.js'
import { type KafkaStorage, noBroker, optionsFor, silent, withAdmin } from './kafka-harness.js'

if (noBroker) t.test('committing', { skip: noBroker }, async () => undefined)
else tests()

const PARTITIONS = [0, 1, 2, 3] as const

function tests(): void {
  t.test('what cannot be saved is told, and keeps nothing else from being committed', async (t) => {
    const storage = storageFor(t)
    const store = await openStore(t, storage)
    const told = new EventEmitter()
    let warnings = 0
    const tell = (_: object, message = ''): void => void told.emit(message)
    const warn = (fields: object, message = ''): void => {
      if (message === 'checkpoints cannot be committed; trying again') warnings += 1
      tell(fields, message)
    }
    const first = await openMember(t, storage, { checkpoints: store, log: { ...silent, info: tell, warn } })
    const deliveries = await appendAndPull(first, 4)
    store.around = async (key, save) => {
      if (key.endsWith('/0')) throw new Error('it cannot be saved')
      return save()
    }
    const toldOf = once(told, 'checkpoints cannot be committed; trying again')
    await completeAll(deliveries)
    await until(async () => (await committedOf(storage)).slice(1).every((offset) => offset === 1))
    t.not((await committedOf(storage))[0], 1)
    await toldOf
    const toldAgain = once(told, 'checkpoints are committed again')
    store.around = (_, save) => save()
    await toldAgain
    t.equal((await committedOf(storage))[0], 1)
    t.equal(warnings, 1)
  })

  t.test('what another got while it was being saved is not committed', async (t) => {
    const storage = storageFor(t)
    const store = await openStore(t, storage)
    const first = await openMember(t, storage, { checkpoints: store })
    const deliveries = await appendAndPull(first, 4)
    // All fail until all are completed, so that all are saved together.
    store.around = async () => {
      throw new Error('it cannot be saved')
    }
    await completeAll(deliveries)
    const held = new EventEmitter()
    let saving = 0
    store.around = async (_, save) => {
      const saved = await save()
      saving += 1
      if (saving === PARTITIONS.length) held.emit('all')
      if (saving <= PARTITIONS.length) await once(held, 'release')
      return saved
    }
    await once(held, 'all')
    const second = await openMember(t, storage, { checkpoints: await openStore(t, storage) })
    await until(async () => (await ownedBy(second)).length === 2)
    await appendAndPull(second, 2).then(completeAll)
    const others = await ownedBy(second)
    await until(async () => at(await committedOf(storage), others).every((offset) => offset === 2))
    await pull(first.consumer, 2).then(completeAll)
    held.emit('release')
    await until(async () => at(await committedOf(storage), await ownedBy(first)).every((offset) => offset === 2))
    t.strictSame(await committedOf(storage), [2, 2, 2, 2])
  })
}

type Around = (key: string, save: () => Promise<Saved>) => Promise<Saved>

/** A store whose saves can fail or be held up. */
class TroubledStore implements CheckpointStore {
  readonly machines = true
  around: Around = (_, save) => save()
  readonly #store: KafkaCheckpointStore

  constructor(store: KafkaCheckpointStore) {
    this.#store = store
  }

  claim(key: string): Promise<Claim> {
    return this.#store.claim(key)
  }

  save(key: string, epoch: number, checkpoint: Checkpoint): Promise<Saved> {
    return this.around(key, () => this.#store.save(key, epoch, checkpoint))
  }

  read(key: string): Promise<Checkpoint> {
    return this.#store.read(key)
  }
}

async function openStore(t: Test, { prefix }: KafkaStorage): Promise<TroubledStore> {
  const store = await KafkaCheckpointStore.open(optionsFor(prefix))
  t.teardown(() => store.close())
  return new TroubledStore(store)
}

interface Member {
  readonly consumer: Consumer
  append(): Promise<void>
}

async function openMember(t: Test, storage: KafkaStorage, options: Partial<KafkaStreamOptions>): Promise<Member> {
  const stream = storage.open(options)
  t.teardown(() => stream.stop())
  await stream.start()
  return {
    consumer: await stream.consume(GROUP),
    append: async () => void (await stream.append('calls', oneOfEachPartition())),
  }
}

async function appendAndPull({ append, consumer }: Member, count: number): Promise<Delivery[]> {
  await append()
  return pull(consumer, count)
}

async function completeAll(deliveries: readonly Delivery[]): Promise<void> {
  await Promise.all(deliveries.map((delivery) => delivery.complete()))
}

async function ownedBy({ consumer }: Member): Promise<number[]> {
  const own = (await consumer.progress()).filter(({ owner }) => owner === 'this')
  return own.map(({ partition }) => partition)
}

/** What the group was told of each partition. */
async function committedOf({ prefix }: KafkaStorage): Promise<number[]> {
  const [found] = await withAdmin((admin) =>
    admin.fetchOffsets({ groupId: `${prefix}.${GROUP}`, topics: [`${prefix}.calls`] }),
  )
  return PARTITIONS.map((number) => Number(found?.partitions.find(({ partition }) => partition === number)?.offset))
}

function at(committed: readonly number[], partitions: readonly number[]): number[] {
  return partitions.map((partition) => committed[partition] ?? -1)
}
