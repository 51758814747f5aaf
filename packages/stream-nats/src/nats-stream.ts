import { setImmediate } from 'node:timers/promises'
import { PosthasteError, systemClock } from '@posthaste/core'
import {
  Bell,
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
import { Connection } from './connection.js'
import { joinGroup } from './durable.js'
import { callFault, startFault, unavailable, unfit } from './faults.js'
import { checkAccount, checkServer, DEFAULT_RECORD_BYTES_MAX } from './fitness.js'
import { follow } from './follow.js'
import { LogReader } from './log-reader.js'
import { messageFor } from './message.js'
import { Naming } from './naming.js'
import { NatsConsumer } from './nats-consumer.js'
import type { NatsStreamOptions } from './options.js'
import { type NatsParts, partsOn } from './parts.js'
import { countMissing, endOf, provision, wantedStreams } from './provision.js'
import { serverTime } from './server-time.js'

const ACK_WAIT_MS = 30_000
const MAX_ACK_PENDING = 65_536
/** What may wait to be published: beyond that, whoever appends is told to come back. */
const HELD_BYTES_MAX = 64 * 1024 * 1024
const HELD_MESSAGES_MAX = 65_536
const PREFIX = /^[A-Za-z0-9_-]{1,64}$/

/**
 * The stream on NATS JetStream, shared by listeners on any number of machines. Calls and timers stand in one stream
 * of the server, each other log in one of its own; the acknowledgements of a durable consumer are the checkpoint. Durable means
 * what it means to the server: an fsync with `sync_interval: always`, replication with several replicas.
 */
export class NatsStream implements Stream {
  readonly #options: NatsStreamOptions
  readonly #naming: Naming
  readonly #stopping = new AbortController()
  readonly #bell = new Bell()
  readonly #consumers = new Set<Consumer>()
  readonly #appending = new Set<Promise<void>>()
  #recordBytesMax: number
  #starting: Promise<void> | undefined
  #started: NatsParts | undefined
  #stopped: Promise<void> | undefined

  constructor(options: NatsStreamOptions) {
    if (!PREFIX.test(options.prefix)) {
      const detail = 'A prefix for NATS has 1 to 64 letters, digits, _ and -.'
      throw new PosthasteError('invalid-configuration', detail)
    }
    this.#options = options
    this.#naming = new Naming(options.prefix)
    this.#recordBytesMax = Math.min(options.recordBytesMax ?? DEFAULT_RECORD_BYTES_MAX, DEFAULT_RECORD_BYTES_MAX)
  }

  get supports(): StreamSupports {
    return {
      recordBytesMax: this.#recordBytesMax,
      machines: true,
      owners: false,
      members: 'share',
      atomic: false,
      watchdogs: false,
    }
  }

  async start(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    this.#starting ??= this.#start()
    try {
      await this.#starting
    } catch (error) {
      this.#starting = undefined
      throw error
    }
  }

  append(log: LogName, records: readonly NewRecord[]): Promise<void> {
    let appending: Promise<void>
    try {
      appending = this.#append(log, records)
    } catch (error) {
      return Promise.reject(error as Error)
    }
    this.#appending.add(appending)
    return appending.finally(() => {
      this.#appending.delete(appending)
      this.#bell.ring()
    })
  }

  async consume(group: string, options: ConsumeOptions = {}): Promise<Consumer> {
    const parts = this.#running()
    const { ackWaitMs = ACK_WAIT_MS, maxAckPending = MAX_ACK_PENDING } = this.#options
    const groupOptions = { group, ackWaitMs, maxAckPending }
    try {
      const joined = await joinGroup(parts.manager, parts.naming, groupOptions)
      this.#running()
      const consumer = new NatsConsumer(parts, groupOptions, joined, options.member ?? '')
      this.#consumers.add(consumer)
      return consumer
    } catch (error) {
      throw callFault(error)
    }
  }

  async *follow(log: LogName, from: Position | 'start', options: FollowOptions = {}): AsyncIterable<Followed> {
    const { connection, naming, manager } = this.#running()
    const sequence = from === 'start' ? 1 : Number(from)
    if (!Number.isSafeInteger(sequence)) {
      throw new PosthasteError('internal', `"${from}" is not a position of this log.`)
    }
    const signal = options.signal ? AbortSignal.any([options.signal, this.#stopping.signal]) : this.#stopping.signal
    if (signal.aborted) return
    const { beats = false, untilEnd = false } = options
    yield* follow({
      reader: new LogReader(connection, naming, log),
      connection,
      bell: this.#bell,
      from: sequence,
      isResumed: from !== 'start',
      until: untilEnd ? await endOf(manager, naming.stream(log)) : Number.POSITIVE_INFINITY,
      untilEnd,
      beats: beats && !untilEnd,
      signal,
    })
  }

  async health(): Promise<StreamHealth> {
    if (this.#stopping.signal.aborted) return { ready: false, reason: 'The stream is stopping.' }
    if (!this.#started) return { ready: false, reason: 'The stream is not started.' }
    if (!this.#started.connection.isWhole) return { ready: false, reason: 'The connection to NATS is lost.' }
    return { ready: true }
  }

  async clockSkew(): Promise<ClockSkew> {
    const { manager, naming } = this.#running()
    try {
      return await measureClockSkew(systemClock, () => serverTime(manager, naming.stream('calls')))
    } catch (error) {
      throw callFault(error)
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #start(): Promise<void> {
    const connection = await this.#connect()
    const { info } = connection.nats
    try {
      const recordBytesMax = checkServer(connection, this.#options.recordBytesMax)
      const manager = await connection.nats.jetstreamManager({ checkAPI: false })
      const wanted = wantedStreams(this.#naming, this.#options)
      checkAccount(await manager.getAccountInfo(), await countMissing(manager, wanted))
      await provision(manager, wanted)
      if (this.#stopping.signal.aborted) return await connection.close()
      this.#recordBytesMax = recordBytesMax
      this.#started = partsOn(connection, { manager, naming: this.#naming, recordBytesMax, log: this.#options.log })
    } catch (error) {
      await connection.close()
      if (connection.denied) throw unfit(`NATS does not permit ${connection.denied}. Allow it to this user.`, error)
      throw startFault(error, info?.jetstream)
    }
  }

  async #connect(): Promise<Connection> {
    try {
      return await Connection.open(this.#options, this.#options.log)
    } catch (error) {
      throw startFault(error)
    }
  }

  #append(log: LogName, records: readonly NewRecord[]): Promise<void> {
    for (const record of records) this.#checkSize(record)
    const { publishers, naming } = this.#running()
    const publisher = publishers[log]
    if (publisher.held.bytes > HELD_BYTES_MAX || publisher.held.messages > HELD_MESSAGES_MAX) {
      throw new PosthasteError('overloaded', 'Too much is waiting to be written.')
    }
    const [first] = records
    if (first && records.length === 1) return publisher.publish(messageFor(naming, log, first))
    return publisher.publishAll(records.map((record) => messageFor(naming, log, record)))
  }

  #checkSize({ value }: NewRecord): void {
    if (value.length <= this.#recordBytesMax) return
    const detail = `A record may have ${this.#recordBytesMax} bytes; this one has ${value.length}.`
    throw new PosthasteError('too-large', detail)
  }

  #running(): NatsParts {
    if (this.#stopping.signal.aborted) throw new PosthasteError('stopping', 'The stream is stopping.')
    if (!this.#started) throw unavailable('The stream is not started.')
    return this.#started
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    this.#bell.ring()
    await this.#starting?.catch(() => undefined)
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop()))
    await Promise.allSettled([...this.#appending])
    await this.#started?.connection.close()
    // Whoever follows has been told by that, and comes to an end.
    await setImmediate()
  }
}
