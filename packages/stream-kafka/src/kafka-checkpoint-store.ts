import { setTimeout as sleep } from 'node:timers/promises'
import type { Checkpoint, CheckpointStore, Claim, Saved } from '@posthaste/storage'
import type { Admin, Kafka } from 'kafkajs'
import { CheckpointWriter, TRANSACTION_MS } from './checkpoint-writer.js'
import { Connections } from './connections.js'
import { clientsOf } from './kafka-client.js'
import { hasType, translate } from './kafka-errors.js'
import { type KafkaStreamOptions, settingsOf } from './kafka-options.js'
import { decodeStored, type StoredCheckpoint, UNTOUCHED } from './stored-checkpoint.js'

/** How long to try what fails, or what others claim at the same time. */
const TRY_MS_MAX = 10_000
const TRY_FIRST_MS = 20
const TRY_LAST_MS = 500
/** Brokers look every ten seconds for transactions whose time is over. */
const UNSTABLE_MS_MAX = TRANSACTION_MS + 20_000
const UNSTABLE_LOOK_MS = 5
/** Kafka forgets an offset that was not committed for a week, or for as long as it is told. */
const RENEW_EVERY_MS = 3_600_000

/**
 * Checkpoints in offsets of consumer groups without members: a group for each key, `<prefix>.checkpoints.<key>`, whose
 * offset is of the topic `<prefix>.checkpoints`, which holds no records. Epoch, ranges and journal are its metadata, which
 * the broker limits (`offset.metadata.max.bytes`): what does not fit is not saved.
 *
 * An offset is committed by the transactional producer of its key. That is the compare-and-set: whoever opens it fences
 * all who had it open, then reads; so what was read stands there until this producer writes, or fails.
 *
 * What is neither saved nor owned for `offsets.retention.minutes`, a week by default, is forgotten.
 */
export class KafkaCheckpointStore implements CheckpointStore {
  readonly machines = true
  readonly #admin: Admin
  readonly #client: Kafka
  readonly #connections: Connections
  readonly #topic: string
  readonly #writers = new Map<string, CheckpointWriter>()
  /** What is under way last, by key. */
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #renewing: NodeJS.Timeout
  #isClosed = false

  /** @throws PosthasteError `stream-unfit` or `stream-unavailable` */
  static async open(options: KafkaStreamOptions, renewEveryMs = RENEW_EVERY_MS): Promise<KafkaCheckpointStore> {
    const settings = settingsOf(options)
    const connections = new Connections(options.openSocket)
    const client = clientsOf(settings, connections).create()
    const admin = client.admin()
    const topic = `${settings.prefix}.checkpoints`
    try {
      await admin.connect()
      await createTopic(admin, topic, settings.replicas)
      return new KafkaCheckpointStore(client, admin, connections, topic, renewEveryMs)
    } catch (error) {
      connections.close()
      await admin.disconnect().catch(() => undefined)
      throw translate(error)
    }
  }

  private constructor(client: Kafka, admin: Admin, connections: Connections, topic: string, renewEveryMs: number) {
    this.#client = client
    this.#admin = admin
    this.#connections = connections
    this.#topic = topic
    this.#renewing = setInterval(() => this.#renew(), renewEveryMs).unref()
  }

  claim(key: string): Promise<Claim> {
    return this.#change(key, async () => {
      const writer = this.#writers.get(key) ?? (await this.#open(key))
      const { checkpoint, epoch } = writer.stored
      // The time, so that epochs rise even if Kafka has forgotten those before.
      const next = Math.max(epoch + 1, Date.now())
      await writer.write({ epoch: next, checkpoint })
      return { epoch: next, checkpoint }
    })
  }

  save(key: string, epoch: number, checkpoint: Checkpoint): Promise<Saved> {
    return this.#change(key, async () => {
      let writer = this.#writers.get(key)
      if (writer?.stored.epoch !== epoch) {
        // Looks before it opens a writer: an owner of before is not to fence the one of now.
        if ((await this.#load(key)).epoch !== epoch) return 'refused'
        writer = await this.#open(key)
        if (writer.stored.epoch !== epoch) return 'refused'
      }
      await writer.write({ epoch, checkpoint })
      return 'saved'
    })
  }

  async read(key: string): Promise<Checkpoint> {
    return (await this.#insist(() => this.#load(key))).checkpoint
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#renewing)
    this.#connections.close()
    await Promise.allSettled(this.#turns.values())
    await Promise.allSettled([this.#admin.disconnect(), ...[...this.#writers.keys()].map((key) => this.#drop(key))])
  }

  /** One change of a key after the other. Whatever fails, the next attempt opens a writer anew and reads. */
  #change<T>(key: string, change: () => Promise<T>): Promise<T> {
    const attempt = async (): Promise<T> => {
      try {
        return await change()
      } catch (error) {
        await this.#drop(key)
        throw error
      }
    }
    return this.#inTurn(key, () => this.#insist(attempt))
  }

  #inTurn<T>(key: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(act)
    this.#turns.set(
      key,
      turn.catch(() => undefined),
    )
    return turn
  }

  async #insist<T>(attempt: () => Promise<T>): Promise<T> {
    const untilMs = performance.now() + TRY_MS_MAX
    for (let waitMs = TRY_FIRST_MS; ; waitMs = Math.min(TRY_LAST_MS, waitMs * 2)) {
      try {
        return await attempt()
      } catch (error) {
        const fault = translate(error)
        if (fault.code !== 'stream-unavailable' || this.#isClosed || performance.now() > untilMs) throw fault
      }
      // Two who claim a key in turns fence each other, unless one of them waits for longer.
      await sleep(waitMs * Math.random())
    }
  }

  async #open(key: string): Promise<CheckpointWriter> {
    await this.#drop(key)
    const writer = await CheckpointWriter.open({
      client: this.#client,
      id: this.#idOf(key),
      topic: this.#topic,
      load: () => this.#load(key),
    })
    this.#writers.set(key, writer)
    return writer
  }

  async #drop(key: string): Promise<void> {
    const writer = this.#writers.get(key)
    this.#writers.delete(key)
    await writer?.close()
  }

  /** Waits for the transaction that is open, if one is: the broker tells no offset that is about to change. */
  async #load(key: string): Promise<StoredCheckpoint> {
    const untilMs = performance.now() + UNSTABLE_MS_MAX
    for (;;) {
      try {
        return await this.#fetch(key)
      } catch (error) {
        if (!hasType(error, 'UNSTABLE_OFFSET_COMMIT') || performance.now() > untilMs) throw error
      }
      await sleep(UNSTABLE_LOOK_MS)
    }
  }

  async #fetch(key: string): Promise<StoredCheckpoint> {
    const [found] = await this.#admin.fetchOffsets({ groupId: this.#idOf(key), topics: [this.#topic] })
    const { metadata, offset = '-1' } = found?.partitions[0] ?? {}
    return offset === '-1' ? UNTOUCHED : decodeStored(Number(offset), metadata ?? '')
  }

  #idOf(key: string): string {
    return `${this.#topic}.${key}`
  }

  /** Commits again what is owned. Who turns out to be fenced owns it no more. */
  #renew(): void {
    for (const [key, writer] of this.#writers) {
      void this.#inTurn(key, async () => {
        if (this.#writers.get(key) === writer) await writer.write(writer.stored).catch(() => this.#drop(key))
      })
    }
  }
}

async function createTopic(admin: Admin, topic: string, replicas: number | undefined): Promise<void> {
  if ((await admin.listTopics()).includes(topic)) return
  const { brokers } = await admin.describeCluster()
  const replicationFactor = replicas ?? Math.min(3, brokers.length)
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor }] })
}
