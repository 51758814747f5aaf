import { calledRecordBytesMax, DEFAULT_RETRY_POLICY, EgressPolicy } from '@posthaste/core'
import { Listener, type ListenerOptions } from '@posthaste/listener'
import { Environment, LmdbCheckpointStore } from '@posthaste/storage'
import type { Consumer, Effects, StoredRecord, Stream } from '@posthaste/stream'
import { EmbeddedStream } from '@posthaste/stream-embedded'
import { ManualClock } from '../model/manual-clock.js'
import { silent } from './installation.js'
import { watched } from './watched-consumer.js'

const FOREVER_MS = 3_600_000
const DRAINED_MS_MAX = 120_000
const RESPONSE_BYTES_MAX = 1_024
/** Nobody reads it. */
const JOURNAL = { ageMs: 60_000, bytes: 64 * 1_024 * 1_024 }

export interface SimulatedOptions extends Partial<ListenerOptions> {
  /** Hears of each record that is completed, and what follows from it. */
  readonly onCompleted?: (record: StoredRecord, effects: Effects) => void
}

/**
 * A real listener on a real embedded stream, whose clock stands still but for what it is moved: so are the times of
 * timers, of breakers and of all by which targets are judged.
 */
export class SimulatedListener {
  readonly clock = new ManualClock(Date.now())
  readonly stream: Stream
  readonly #environment: Environment
  #listener: Listener | undefined
  #consumer: Consumer | undefined

  static async start(directory: string, options: SimulatedOptions): Promise<SimulatedListener> {
    const simulated = new SimulatedListener(directory)
    await simulated.stream.start()
    await simulated.#listen(options)
    return simulated
  }

  private constructor(directory: string) {
    this.#environment = new Environment({ directory, reserveBytes: 0 })
    this.stream = new EmbeddedStream({
      environment: this.#environment,
      checkpoints: new LmdbCheckpointStore(this.#environment),
      clock: this.clock,
      journalRetention: JOURNAL,
      log: silent,
    })
  }

  get listener(): Listener {
    return this.#listener as Listener
  }

  /** Resolves once all that is on the stream, or due, is called or moved aside. @throws Error if it takes too long */
  async drain(): Promise<void> {
    const { drained, ...report } = await this.listener.ping('command', DRAINED_MS_MAX)
    if (!drained) throw new Error(`Not all is done: ${JSON.stringify(report)}`)
  }

  async stop(): Promise<void> {
    await this.#listener?.stop(0)
    await this.#consumer?.stop()
    await this.stream.stop()
    await this.#environment.close()
  }

  async #listen({ onCompleted, ...options }: SimulatedOptions): Promise<void> {
    const { clock, stream } = this
    const consumer = await stream.consume('listeners', { member: 'simulated' })
    this.#consumer = consumer
    this.#listener = new Listener({
      consumer: onCompleted ? watched(consumer, onCompleted) : consumer,
      control: stream,
      name: 'simulated',
      clock,
      time: clock.targetTime(),
      log: silent,
      schedule: undefined,
      lingerMs: FOREVER_MS,
      batchRecords: 500,
      concurrency: 512,
      concurrencyPerTarget: 64,
      ratePerTarget: 0,
      burstPerTarget: 10,
      breakerFailures: 10,
      timeoutMs: 30_000,
      retry: DEFAULT_RETRY_POLICY,
      responseBytesMax: RESPONSE_BYTES_MAX,
      recordBytesMax: calledRecordBytesMax(stream.supports.recordBytesMax, RESPONSE_BYTES_MAX),
      egress: new EgressPolicy({ allowAddresses: ['127.0.0.0/8'] }),
      logAttempts: 'failed',
      ...options,
    })
    await this.#listener.start()
  }
}
