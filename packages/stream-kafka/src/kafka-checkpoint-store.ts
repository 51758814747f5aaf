import { setTimeout as sleep } from 'node:timers/promises'
import { type Log, PosthasteError } from '@posthaste/core'
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
 *
 * Brokers must know OffsetFetch 7 (Kafka 2.5): those before tell an offset that is about to change.
 */
export class KafkaCheckpointStore implements CheckpointStore {
  readonly machines = true
  readonly #admin: Admin
  readonly #client: Kafka
  readonly #connections: Connections
  readonly #topic: string
  readonly #log: Log
  readonly #writers = new Map<string, CheckpointWriter>()
  /** Epochs that were claimed or saved under here, by key, until one is refused. */
  readonly #owned = new Map<string, number>()
  /** What is under way last, by key. */
  readonly #turns = new Map<string, Promise<void>>()
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
      return new KafkaCheckpointStore({ client, admin, connections, topic, log: settings.log }, renewEveryMs)
    } catch (error) {
      connections.close()
      await admin.disconnect().catch(() => undefined)
      throw translate(error)
    }
  }

  private constructor({ admin, client, connections, log, topic }: StoreParts, renewEveryMs: number) {
    this.#client = client
    this.#admin = admin
    this.#connections = connections
    this.#topic = topic
    this.#log = log
    this.#renewing = setInterval(() => this.#renew(), renewEveryMs).unref()
  }

  claim(key: string): Promise<Claim> {
    return this.#change(key, async () => {
      const writer = this.#writers.get(key) ?? (await this.#open(key))
      const { checkpoint, epoch } = writer.stored
      // The time, so that epochs rise even if Kafka has forgotten those before.
      const next = Math.max(epoch + 1, Date.now())
      await writer.write({ epoch: next, checkpoint })
      this.#owned.set(key, next)
      return { epoch: next, checkpoint }
    })
  }

  save(key: string, epoch: number, checkpoint: Checkpoint): Promise<Saved> {
    return this.#write(key, epoch, () => checkpoint)
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

  #write(key: string, epoch: number, checkpointOf: (stored: StoredCheckpoint) => Checkpoint): Promise<Saved> {
    return this.#change(key, async () => {
      const writer = await this.#writerOf(key, epoch)
      if (!writer) return 'refused'
      await writer.write({ epoch, checkpoint: checkpointOf(writer.stored) })
      this.#owned.set(key, epoch)
      return 'saved'
    })
  }

  /** Undefined if another has claimed the key since. If that was here, its writer goes on. */
  async #writerOf(key: string, epoch: number): Promise<CheckpointWriter | undefined> {
    const writer = this.#writers.get(key)
    if (writer?.stored.epoch === epoch) return writer
    // Looks before it opens a writer: an owner of before is not to fence the one of now.
    if ((await this.#load(key)).epoch === epoch) {
      const opened = await this.#open(key)
      if (opened.stored.epoch === epoch) return opened
    }
    if (this.#owned.get(key) === epoch) this.#owned.delete(key)
    if (!this.#owned.has(key)) await this.#drop(key)
    return undefined
  }

  /** One change of a key after the other. Whatever fails, the next attempt opens a writer anew and reads. */
  #change<T>(key: string, change: () => Promise<T>): Promise<T> {
    const attempt = async (): Promise<T> => {
      try {
        return await change()
      } catch (error) {
        // A fault of our own was found before anything was sent, such as a checkpoint that does not fit.
        if (!(error instanceof PosthasteError)) await this.#drop(key)
        throw error
      }
    }
    return this.#inTurn(key, () => this.#insist(attempt))
  }

  #inTurn<T>(key: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(act)
    const over = (): void => {
      if (this.#turns.get(key) === ended) this.#turns.delete(key)
    }
    const ended = turn.then(over, over)
    this.#turns.set(key, ended)
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
    const partition = found?.partitions[0]
    // The library asks for what it knows of only. Nothing said is not the same as nothing saved.
    if (!partition) throw new PosthasteError('stream-unavailable', `${this.#topic} is not known yet.`)
    const { metadata, offset } = partition
    return offset === '-1' ? UNTOUCHED : decodeStored(Number(offset), metadata ?? '')
  }

  #idOf(key: string): string {
    return `${this.#topic}.${key}`
  }

  /** Commits again what is owned, as far as nobody does so already. */
  #renew(): void {
    for (const [key, epoch] of this.#owned) {
      if (this.#turns.has(key)) continue
      this.#write(key, epoch, ({ checkpoint }) => checkpoint).then(
        (saved) => this.#log.debug({ key, saved }, 'a checkpoint was renewed'),
        // Kafka keeps it for much longer: the next time is good enough.
        (error: unknown) => this.#log.debug({ err: error, key }, 'a checkpoint cannot be renewed now'),
      )
    }
  }
}

interface StoreParts {
  readonly client: Kafka
  readonly admin: Admin
  readonly connections: Connections
  readonly topic: string
  readonly log: Log
}

async function createTopic(admin: Admin, topic: string, replicas: number | undefined): Promise<void> {
  if ((await admin.listTopics()).includes(topic)) return
  const { brokers } = await admin.describeCluster()
  const replicationFactor = replicas ?? Math.min(3, brokers.length)
  // Whoever uses it first tries until the brokers know of it.
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor }], waitForLeaders: false })
}
