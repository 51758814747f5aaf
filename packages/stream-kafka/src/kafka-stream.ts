import { setTimeout as sleep } from 'node:timers/promises'
import { PosthasteError, systemClock } from '@posthaste/core'
import {
  type ClockSkew,
  type ConsumeOptions,
  type Consumer,
  type Followed,
  type FollowOptions,
  type LogName,
  measureClockSkew,
  type NewRecord,
  type Position,
  type Stream,
  type StreamHealth,
  type StreamSupports,
} from '@posthaste/stream'
import type { Admin, Producer } from 'kafkajs'
import { Availability } from './availability.js'
import { brokerTime } from './broker-time.js'
import { Connections } from './connections.js'
import { Follower } from './follower.js'
import { clientsOf } from './kafka-client.js'
import { KafkaConsumer } from './kafka-consumer.js'
import { translate } from './kafka-errors.js'
import { type KafkaStreamOptions, type Settings, settingsOf } from './kafka-options.js'
import { partitionOf } from './partition-of.js'
import { outgoing } from './record-codec.js'
import { Sender } from './sender.js'
import type { StreamParts } from './stream-parts.js'
import { topicNamesOf, topicOf } from './topic-names.js'
import { prepareTopics } from './topics.js'
import { Watermarks } from './watermarks.js'

/** What may wait to be written: beyond that, whoever appends is told to come back. */
const HELD_BYTES_MAX = 64 * 1024 * 1024
const HELD_RECORDS_MAX = 50_000
const KEY_LENGTH_MAX = 1_024
/** The broker's default limit of a batch, less a reserve. */
const RECORD_BYTES_DEFAULT = 1_000_000
/** How long a stop waits for what is being appended, and then for connections to close. */
const STOP_MS = 5_000
const CLOSE_MS = 2_000

/**
 * The stream on Apache Kafka: shared by the processes of any number of machines. Durable means that the brokers have
 * acknowledged it on all in-sync replicas.
 */
export class KafkaStream implements Stream {
  readonly #settings: Settings
  readonly #stopping = new AbortController()
  readonly #consumers = new Set<Consumer>()
  readonly #following = new Set<Promise<void>>()
  readonly #connections: Connections
  #starting: Promise<void> | undefined
  #started: Started | undefined
  #stopped: Promise<void> | undefined
  #recordBytesMax = RECORD_BYTES_DEFAULT

  constructor(options: KafkaStreamOptions) {
    this.#settings = settingsOf(options)
    this.#connections = new Connections(options.openSocket)
  }

  get supports(): StreamSupports {
    return {
      recordBytesMax: this.#recordBytesMax,
      machines: true,
      owners: true,
      members: 'share',
      atomic: false,
      watchdogs: true,
    }
  }

  start(): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.resolve()
    // One that failed may be tried again.
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined
      throw translate(error)
    })
    return this.#starting
  }

  append(log: LogName, records: readonly NewRecord[]): Promise<void> {
    try {
      const { appends, availability, parts } = this.#running()
      if (records.length === 0) return Promise.resolve()
      const topic = topicOf(parts.names, log)
      const partitions = parts.topics.logPartitions[log]
      const batch = records.map((record) => {
        this.#checkSize(record)
        return outgoing(topic, partitionOf(record.key, partitions), record)
      })
      if (availability.reason !== undefined) throw new PosthasteError('stream-unavailable', availability.reason)
      if (appends.heldBytes > HELD_BYTES_MAX || appends.heldRecords > HELD_RECORDS_MAX) {
        throw new PosthasteError('overloaded', 'Too much is waiting to be written.')
      }
      return appends.send(batch)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  async consume(group: string, options: ConsumeOptions = {}): Promise<Consumer> {
    const consumer = new KafkaConsumer(this.#running().parts, group, options.member ?? '')
    this.#consumers.add(consumer)
    consumer.start()
    return consumer
  }

  async *follow(log: LogName, from: Position | 'start', options: FollowOptions = {}): AsyncIterable<Followed> {
    const { parts } = this.#running()
    const { signal } = options
    const stop = signal ? AbortSignal.any([signal, this.#stopping.signal]) : this.#stopping.signal
    if (stop.aborted) return
    let ended = (): void => undefined
    const running = new Promise<void>((resolve) => {
      ended = resolve
    })
    this.#following.add(running)
    try {
      yield* new Follower(parts, log).run(from, { ...options, signal: stop })
    } finally {
      this.#following.delete(running)
      ended()
    }
  }

  async health(): Promise<StreamHealth> {
    if (!this.#started) return { ready: false, reason: 'The stream is not started.' }
    if (this.#stopping.signal.aborted) return { ready: false, reason: 'The stream is stopping.' }
    const { availability, parts } = this.#started
    if (availability.reason !== undefined) return { ready: false, reason: availability.reason }
    try {
      const { topics } = await parts.admin.fetchTopicMetadata({ topics: [parts.names.calls] })
      const leaderless = topics[0]?.partitions.filter(({ leader }) => leader < 0).length ?? 0
      if (leaderless === 0) return { ready: true }
      return { ready: false, reason: `${leaderless} partitions of ${parts.names.calls} have no leader.` }
    } catch (error) {
      availability.failed(error)
      return { ready: false, reason: translate(error).message }
    }
  }

  async clockSkew(): Promise<ClockSkew> {
    const { parts, producer } = this.#running()
    try {
      return await measureClockSkew(systemClock, () => brokerTime(producer, parts.names.clock))
    } catch (error) {
      throw translate(error)
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #start(): Promise<void> {
    const settings = this.#settings
    const clients = clientsOf(settings, this.#connections)
    const kafka = clients.create()
    const admin = kafka.admin()
    const producer = kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition as number,
      // What failed is sent again here, where it is known what may be.
      retry: { retries: 0 },
    })
    try {
      await admin.connect()
      const names = topicNamesOf(settings)
      const watermarks = new Watermarks(admin)
      const topics = await prepareTopics(admin, watermarks, names, settings)
      await producer.connect()
      this.#recordBytesMax = topics.recordBytesMax
      const availability = new Availability(admin, settings.log)
      const effects = new Sender(producer, availability, topics.recordBytesMax)
      const parts = { settings, client: clients.createForMember, admin, names, topics, effects, watermarks }
      const appends = new Sender(producer, availability, topics.recordBytesMax)
      this.#started = { parts, admin, producer, availability, appends }
    } catch (error) {
      await close(admin, producer)
      throw error
    }
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    await this.#starting?.catch(() => undefined)
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop()))
    if (this.#started) await this.#end(this.#started)
    this.#connections.close()
  }

  async #end({ admin, appends, availability, parts, producer }: Started): Promise<void> {
    const senders = [appends, parts.effects]
    await within(STOP_MS, Promise.all(senders.map((sender) => sender.idle())))
    for (const sender of senders) sender.reject(new PosthasteError('stopping', 'The stream is stopping.'))
    await Promise.all(this.#following)
    availability.stop()
    await close(admin, producer)
  }

  #checkSize({ key, value }: NewRecord): void {
    const { recordBytesMax } = this.supports
    if (value.length > recordBytesMax) {
      throw new PosthasteError('too-large', `A record may have ${recordBytesMax} bytes; this one has ${value.length}.`)
    }
    if (key.length > KEY_LENGTH_MAX) {
      throw new PosthasteError('too-large', `A key may have ${KEY_LENGTH_MAX} characters; this one has ${key.length}.`)
    }
  }

  #running(): Started {
    if (this.#stopping.signal.aborted) throw new PosthasteError('stopping', 'The stream is stopping.')
    if (!this.#started) throw new PosthasteError('stream-unavailable', 'The stream is not started.')
    return this.#started
  }
}

interface Started {
  readonly parts: StreamParts
  readonly admin: Admin
  readonly producer: Producer
  readonly availability: Availability
  readonly appends: Sender
}

function close(admin: Admin, producer: Producer): Promise<unknown> {
  return within(CLOSE_MS, Promise.allSettled([admin.disconnect(), producer.disconnect()]))
}

/** Resolves when `promise` does, or after `timeoutMs`. */
async function within(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  const abort = new AbortController()
  await Promise.race([promise, sleep(timeoutMs, undefined, abort).catch(() => undefined)])
  abort.abort()
}
