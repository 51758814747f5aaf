import { type Clock, type Log, PosthasteError, systemClock } from '@posthaste/core'
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
import type { EmbeddedLogs } from './embedded-log.js'
import { followLog } from './follower.js'
import { Housekeeping } from './housekeeping.js'
import { KeyedLog } from './keyed-log.js'
import { Lease } from './lease.js'
import type { EmbeddedParts } from './parts.js'
import type { Retention } from './retention.js'
import { Timers } from './timers.js'

const CLAIM_RETENTION_MS = 86_400_000
const KEY_LENGTH_MAX = 1_024
/** With less room than this above the reserve, records of a usual size are refused already. */
const READY_BYTES_MIN = 1024 * 1024

export interface EmbeddedStreamOptions {
  /** Opened by the caller, who also closes it after `stop`. */
  readonly environment: Environment
  /** In the same environment. */
  readonly checkpoints: LmdbCheckpointStore
  readonly journalRetention: Retention
  /** How long claims are kept; a day if left out. */
  readonly claimRetentionMs?: number
  /** The time of day; the machine's if left out. */
  readonly clock?: Clock
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
    owners: true,
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
    const {
      claimRetentionMs = CLAIM_RETENTION_MS,
      clock = systemClock,
      environment,
      journalRetention,
      log,
    } = this.#options
    const bell = new Bell(environment.directory)
    const logs = openLogs(environment)
    const appenderOf = (name: LogName): Appender =>
      new Appender(environment, logs[name], clock, () => bell.ringEverywhere())
    const parts = { environment, logs, timers: new Timers(environment), bell, clock, log }
    const retentions = {
      journal: journalRetention,
      claims: { ageMs: claimRetentionMs, bytes: Number.POSITIVE_INFINITY },
    }
    this.#started = {
      parts,
      appenders: {
        calls: appenderOf('calls'),
        journal: appenderOf('journal'),
        control: appenderOf('control'),
        claims: appenderOf('claims'),
      },
      housekeeping: new Housekeeping(parts, retentions, this.#stopping.signal),
    }
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
    yield* followLog(this.#running().parts, log, from, options, this.#stopping.signal)
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
    const tidied = this.#started?.housekeeping.stop()
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop()))
    if (!this.#started) return
    const { appenders, parts } = this.#started
    await Promise.all([tidied, ...Object.values(appenders).map((appender) => appender.idle())])
    parts.bell.close()
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
}

interface Started {
  readonly parts: EmbeddedParts
  readonly appenders: Readonly<Record<LogName, Appender>>
  readonly housekeeping: Housekeeping
}

function openLogs(environment: Environment): EmbeddedLogs {
  return {
    calls: new BatchLog(environment, 'calls'),
    journal: new BatchLog(environment, 'journal'),
    control: new KeyedLog(environment, 'control'),
    claims: new BatchLog(environment, 'claims'),
  }
}
