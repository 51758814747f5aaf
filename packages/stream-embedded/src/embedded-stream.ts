import { type Log, PosthasteError } from '@posthaste/core'
import type { Environment, LmdbCheckpointStore } from '@posthaste/storage'
import type {
  ClockSkew,
  ConsumeOptions,
  Consumer,
  Followed,
  FollowOptions,
  LogName,
  NewRecord,
  Position,
  Stream,
  StreamHealth,
  StreamSupports,
} from '@posthaste/stream'
import { Appender } from './appender.js'
import { BatchLog } from './batch-log.js'
import { Bell } from './bell.js'
import { EmbeddedConsumer } from './embedded-consumer.js'
import { Lease } from './lease.js'
import type { EmbeddedParts } from './ownership.js'
import { applyRetention, type Retention } from './retention.js'
import { Timers } from './timers.js'

const RETENTION_EVERY_MS = 30_000
const FOLLOW_LOOK_MS = 20
const KEY_LENGTH_MAX = 1_024
/** With less room than this above the reserve, records of a usual size are refused already. */
const READY_BYTES_MIN = 1024 * 1024

export interface EmbeddedStreamOptions {
  /** Opened by the caller, who also closes it after `stop`. */
  readonly environment: Environment
  /** In the same environment. */
  readonly checkpoints: LmdbCheckpointStore
  readonly journalRetention: Retention
  readonly log: Log
}

/**
 * The stream that needs nothing installed: logs and timers in an LMDB environment, for the processes of one machine.
 * Durable means that an fsync came before the answer.
 */
export class EmbeddedStream implements Stream {
  readonly supports: StreamSupports = {
    recordBytesMax: 16 * 1024 * 1024,
    machines: false,
    members: 'stand-by',
    atomic: true,
    watchdogs: true,
  }
  readonly #options: EmbeddedStreamOptions
  readonly #stopping = new AbortController()
  readonly #consumers = new Set<Consumer>()
  #started: Started | undefined

  constructor(options: EmbeddedStreamOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    if (this.#started || this.#stopping.signal.aborted) return
    const { environment, log } = this.#options
    const bell = new Bell(environment.directory)
    const calls = new BatchLog(environment, 'calls')
    const journal = new BatchLog(environment, 'journal')
    const ring = (): void => bell.ringEverywhere()
    this.#started = {
      parts: { environment, calls, journal, timers: new Timers(environment), bell, log },
      appenders: { calls: new Appender(environment, calls, ring), journal: new Appender(environment, journal, ring) },
      retention: setInterval(() => this.#retain(journal), RETENTION_EVERY_MS),
      retaining: undefined,
    }
    this.#retain(journal)
  }

  append(log: LogName, records: readonly NewRecord[]): Promise<void> {
    try {
      for (const record of records) this.#checkSize(record)
      return this.#running().appenders[log].append(records)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  async consume(group: string, options: ConsumeOptions = {}): Promise<Consumer> {
    const { parts } = this.#running()
    const lease = new Lease(parts.environment, this.#options.checkpoints, `${group}/0`, options.member ?? '')
    const consumer = new EmbeddedConsumer(parts, lease)
    this.#consumers.add(consumer)
    return consumer
  }

  async *follow(log: LogName, from: Position | 'start', options: FollowOptions = {}): AsyncIterable<Followed> {
    const { parts } = this.#running()
    let offset = from === 'start' ? 0 : Number(from)
    if (!Number.isSafeInteger(offset)) throw new PosthasteError('internal', `"${from}" is not a position of this log.`)
    parts.environment.refresh()
    const untilOffset = options.untilEnd ? parts[log].end() : Number.POSITIVE_INFINITY
    while (offset < untilOffset && !options.signal?.aborted && !this.#stopping.signal.aborted) {
      const batch = parts[log].read(offset)
      if (batch) {
        const records = batch.base < offset ? batch.records.slice(offset - batch.base) : batch.records
        offset = batch.end
        yield { records, position: String(offset) }
      } else {
        if (options.untilEnd) return
        await parts.bell.wait(FOLLOW_LOOK_MS, options.signal)
      }
      parts.environment.refresh()
    }
  }

  async health(): Promise<StreamHealth> {
    if (!this.#started) return { ready: false, reason: 'The stream is not started.' }
    if (this.#stopping.signal.aborted) return { ready: false, reason: 'The stream is stopping.' }
    try {
      const { freeBytes, reserveBytes } = this.#options.environment.room()
      if (freeBytes >= reserveBytes + READY_BYTES_MIN) return { ready: true }
      const reason = `The disk of the data directory has ${freeBytes} bytes left; ${reserveBytes} are kept in reserve.`
      return { ready: false, reason }
    } catch (error) {
      return { ready: false, reason: (error as Error).message }
    }
  }

  /** One machine, one clock. */
  async clockSkew(): Promise<ClockSkew | undefined> {
    return undefined
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#started?.parts.bell.ring()
    clearInterval(this.#started?.retention)
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop()))
    if (!this.#started) return
    const { appenders, retaining } = this.#started
    await Promise.all([appenders.calls.idle(), appenders.journal.idle(), retaining])
    this.#started.parts.bell.close()
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
    if (!this.#started) throw new PosthasteError('stream-unavailable', 'The stream is not started.')
    if (this.#stopping.signal.aborted) throw new PosthasteError('stopping', 'The stream is stopping.')
    return this.#started
  }

  #retain(journal: BatchLog): void {
    const { environment, journalRetention, log } = this.#options
    const started = this.#started as Started
    started.retaining ??= applyRetention(environment, journal, journalRetention, this.#stopping.signal)
      .catch((error: unknown) => {
        log.warn({ err: error }, 'old journal entries cannot be removed now')
      })
      .finally(() => {
        started.retaining = undefined
      })
  }
}

interface Started {
  readonly parts: EmbeddedParts
  readonly appenders: Readonly<Record<LogName, Appender>>
  readonly retention: NodeJS.Timeout
  retaining: Promise<void> | undefined
}
