import { setTimeout as sleep } from 'node:timers/promises'
import { type Kafka, Partitioners, type Producer, type Transaction } from 'kafkajs'
import { hasType } from './kafka-errors.js'
import { encodeStored, type StoredCheckpoint } from './stored-checkpoint.js'

/** What a writer that died has left open ends by itself after this long, if no other comes. */
export const TRANSACTION_MS = 10_000
/** A transaction is over a moment after its end was answered; only then the next one begins. */
const OVER_LOOK_MS = 5
const OVER_MS_MAX = 10_000

/** Whose offset is committed. */
export interface WriterTarget {
  readonly client: Kafka
  /** Names the group, and the producer that alone may commit for it. */
  readonly id: string
  readonly topic: string
  /** What was committed last, once no transaction is open that could change it. */
  load(): Promise<StoredCheckpoint>
}

/**
 * A transactional producer, which commits the offset of one group. Kafka lets only the producer commit that was opened
 * last: while this one succeeds, nobody else has written since it was opened. After a failure nobody knows, and another is
 * opened in its place.
 */
export class CheckpointWriter {
  readonly #target: WriterTarget
  readonly #producer: Producer
  #transaction: Transaction | undefined
  #stored: StoredCheckpoint

  /** Fences every writer that was opened before, and ends what it left open. */
  static async open(target: WriterTarget): Promise<CheckpointWriter> {
    const producer = target.client.producer({
      transactionalId: target.id,
      transactionTimeout: TRANSACTION_MS,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
    })
    try {
      await producer.connect()
      // It is the first transaction that makes it known to the brokers: what is read comes after that.
      const transaction = await producer.transaction()
      return new CheckpointWriter(target, producer, transaction, await target.load())
    } catch (error) {
      await disconnect(producer)
      throw error
    }
  }

  private constructor(target: WriterTarget, producer: Producer, transaction: Transaction, stored: StoredCheckpoint) {
    this.#target = target
    this.#producer = producer
    this.#transaction = transaction
    this.#stored = stored
  }

  /** What stands there as long as this writer is not fenced. */
  get stored(): StoredCheckpoint {
    return this.#stored
  }

  /** Rejects if another was opened, or if it cannot be known whether it was written. */
  async write(stored: StoredCheckpoint): Promise<void> {
    const { id, topic } = this.#target
    const partitions = [{ partition: 0, offset: String(stored.checkpoint.offset), metadata: encodeStored(stored) }]
    const transaction = this.#transaction ?? (await this.#producer.transaction())
    this.#transaction = undefined
    await onceOver(() => transaction.sendOffsets({ consumerGroupId: id, topics: [{ topic, partitions }] }))
    await transaction.commit()
    this.#stored = stored
  }

  async close(): Promise<void> {
    await disconnect(this.#producer)
  }
}

/** Does it once the transaction before is over. */
async function onceOver(act: () => Promise<void>): Promise<void> {
  for (const untilMs = performance.now() + OVER_MS_MAX; ; ) {
    try {
      return await act()
    } catch (error) {
      if (!hasType(error, 'CONCURRENT_TRANSACTIONS') || performance.now() > untilMs) throw error
    }
    await sleep(OVER_LOOK_MS)
  }
}

async function disconnect(producer: Producer): Promise<void> {
  await producer.disconnect().catch(() => undefined)
}
