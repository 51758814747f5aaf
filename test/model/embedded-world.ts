import { setTimeout as sleep } from 'node:timers/promises'
import { Accepter } from '@posthaste/accepter'
import {
  acceptedRecordBytesMax,
  calledRecordBytesMax,
  DEFAULT_RETRY_POLICY,
  EgressPolicy,
  type JournalEntry,
} from '@posthaste/core'
import { Listener } from '@posthaste/listener'
import { Environment, LmdbCheckpointStore } from '@posthaste/storage'
import type { Consumer, Effects, Followed, Stream } from '@posthaste/stream'
import { EmbeddedStream } from '@posthaste/stream-embedded'
import { Client } from '../harness/client.js'
import { Control } from '../harness/control.js'
import { silent } from '../harness/installation.js'
import { readJournalFrom } from '../harness/journal.js'
import { watched } from '../harness/watched-consumer.js'
import { ManualClock } from './manual-clock.js'
import type { Model } from './model.js'
import { ModelTarget } from './model-target.js'
import { WatchedView } from './watched-view.js'
import type { Aside, World } from './world.js'

const RESPONSE_BYTES_MAX = 4_096
const FOLLOW_LATE_MS = 100
const FOREVER_MS = 3_600_000
const KEPT_FOREVER = { ageMs: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }

interface Installed {
  readonly environment: Environment
  readonly stream: EmbeddedStream
  readonly view: WatchedView
}

interface Listening {
  readonly listener: Listener
  readonly consumer: Consumer
}

/** Everything in this process, on the embedded stream, with a clock that the test moves. */
export class EmbeddedWorld implements World {
  readonly isExact = true
  readonly soonMs = 0
  readonly views = 1
  readonly settleMs = 15_000
  readonly defaults = { maxAttempts: 5, retryDelayMs: 1_000, maxAgeMs: 86_400_000 }
  readonly clock: ManualClock
  readonly target: ModelTarget
  readonly #directory: string
  readonly #breakerFailures: number
  readonly #asides = new Map<string, Aside>()
  readonly #client = new Client()
  readonly #accepters: { readonly accepter: Accepter; readonly control: Control }[] = []
  #installed: Installed | undefined
  #listening: Listening | undefined

  /** After so many failures in a row a target may count as dead; 0 for never. */
  static async start(directory: string, breakerFailures = 0): Promise<EmbeddedWorld> {
    const clock = new ManualClock(Date.now())
    const world = new EmbeddedWorld(directory, clock, await ModelTarget.start(clock, breakerFailures), breakerFailures)
    await world.#install()
    await world.startListener()
    return world
  }

  private constructor(directory: string, clock: ManualClock, target: ModelTarget, breakerFailures: number) {
    this.#directory = directory
    this.#breakerFailures = breakerFailures
    this.clock = clock
    this.target = target
  }

  get hasListener(): boolean {
    return this.#listening !== undefined
  }

  door(number: number): Control {
    return (this.#accepters[number % this.#accepters.length] as { control: Control }).control
  }

  aside(id: string): Aside | undefined {
    return this.#asides.get(id)
  }

  pass(ms: number): void {
    this.clock.pass(ms)
  }

  async hasten(_: Model, ms: number): Promise<void> {
    this.clock.pass(ms)
  }

  async startListener(): Promise<void> {
    const { stream } = this.#open
    const consumer = await stream.consume('listeners', { member: 'model' })
    const listener = new Listener({
      consumer: watched(consumer, (_, effects) => this.#noteAside(effects)),
      control: {
        supports: stream.supports,
        append: (log, records) => stream.append(log, records),
        follow: (log, from, options) => followLate(stream, log, from, options),
      },
      name: 'model',
      clock: this.clock,
      log: silent,
      schedule: undefined,
      lingerMs: FOREVER_MS,
      batchRecords: 100,
      concurrency: 256,
      concurrencyPerTarget: 64,
      ratePerTarget: 0,
      burstPerTarget: 10,
      breakerFailures: this.#breakerFailures,
      ...(this.#breakerFailures > 0 && { time: this.clock.targetTime() }),
      timeoutMs: FOREVER_MS,
      retry: { ...DEFAULT_RETRY_POLICY, jitter: 'none' },
      responseBytesMax: RESPONSE_BYTES_MAX,
      recordBytesMax: calledRecordBytesMax(stream.supports.recordBytesMax, RESPONSE_BYTES_MAX),
      egress: new EgressPolicy({ allowAddresses: ['127.0.0.0/8'] }),
      logAttempts: 'failed',
    })
    await listener.start()
    await listener.ping('command', 0)
    this.#listening = { listener, consumer }
  }

  async stopListener(): Promise<void> {
    const listening = this.#listening
    this.#listening = undefined
    await listening?.listener.stop(0)
    await listening?.consumer.stop()
  }

  /** Resolves once all is done that is due, and what that gave rise to. */
  async drain(): Promise<void> {
    for (let pulled = -1; ; ) {
      const report = await this.#listening?.listener.ping('ping', this.settleMs)
      if (report?.drained !== true) throw new Error(`It is not done: ${JSON.stringify(report)}`)
      if (report.pulled === pulled) return
      pulled = report.pulled
    }
  }

  async restartAccepter(number: number): Promise<void> {
    const index = number % this.#accepters.length
    await this.#accepters[index]?.accepter.stop()
    this.#accepters[index] = await this.#startAccepter()
  }

  async restartAll(): Promise<void> {
    await this.#uninstall()
    await this.#install()
  }

  async journal(): Promise<JournalEntry[]> {
    const entries: JournalEntry[] = []
    await readJournalFrom(this.#open.stream, 'start', entries)
    return entries
  }

  async stop(): Promise<void> {
    await this.#uninstall()
    await this.target.stop()
    this.#client.close()
  }

  get #open(): Installed {
    return this.#installed as Installed
  }

  async #install(): Promise<void> {
    const environment = new Environment({ directory: this.#directory, reserveBytes: 0 })
    const checkpoints = new LmdbCheckpointStore(environment)
    const { clock } = this
    const retention = { journalRetention: KEPT_FOREVER, claimRetentionMs: Number.POSITIVE_INFINITY }
    const stream = new EmbeddedStream({ environment, checkpoints, clock, log: silent, ...retention })
    await stream.start()
    this.#installed = { environment, stream, view: new WatchedView(this.#directory, stream) }
    for (const index of [0, 1]) this.#accepters[index] = await this.#startAccepter()
  }

  async #uninstall(): Promise<void> {
    await this.stopListener()
    await Promise.all(this.#accepters.map(({ accepter }) => accepter.stop()))
    const { environment, stream, view } = this.#open
    await view.stop()
    await stream.stop()
    await environment.close()
  }

  #noteAside({ aside, timers = [] }: Effects): void {
    if (!aside) return
    for (const { attempt = 1, dueMs, generation = 1, key } of timers)
      this.#asides.set(key, { generation, attempt, dueMs })
  }

  async #startAccepter(): Promise<{ accepter: Accepter; control: Control }> {
    const { stream, view } = this.#open
    const recordBytesMax = acceptedRecordBytesMax(stream.supports.recordBytesMax, RESPONSE_BYTES_MAX)
    const accepter = new Accepter({
      host: '127.0.0.1',
      port: 0,
      clock: this.clock,
      log: silent,
      connectionsMax: 1_000,
      egress: new EgressPolicy({ allowAddresses: ['127.0.0.0/8'] }),
      readiness: async () => ({ ready: true, reasons: [] }),
      invocations: { recordBytesMax, append: (log, records) => stream.append(log, records) },
      view: view.door,
    })
    return { accepter, control: new Control(this.#client, await accepter.start()) }
  }
}

/** As on a broker, where it takes a while until the first records come: who calls before knows nothing of what was asked. */
async function* followLate(stream: Stream, ...asked: Parameters<Stream['follow']>): AsyncIterable<Followed> {
  await sleep(FOLLOW_LATE_MS)
  yield* stream.follow(...asked)
}
