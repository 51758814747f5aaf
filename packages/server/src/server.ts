import { setTimeout as sleep } from 'node:timers/promises'
import { Accepter, type Readiness } from '@posthaste/accepter'
import { acceptedRecordBytesMax, PosthasteError, systemClock } from '@posthaste/core'
import type { Logger } from 'pino'
import { type Backend, openBackend } from './backend.js'
import type { Config } from './config/table.js'
import { type ListenerPart, LocalListener } from './listener-part.js'
import { ListenerThread } from './listener-thread.js'

/** Which parts of Posthaste a process runs. */
export type Role = 'all' | 'accepter' | 'listener'

/** How long the listener may take to say whether it is ready. */
const ANSWER_MS_MAX = 2_000

/** One Posthaste process: a stream, and on it an accepter, a listener, or both, each with a thread of its own. */
export class Server {
  readonly #config: Config
  readonly #role: Role
  readonly #log: Logger
  readonly #backend: Backend
  readonly #accepter: Accepter
  readonly #listener: ListenerPart | undefined
  #isListening = false
  #stopped: Promise<void> | undefined

  constructor(config: Config, role: Role, log: Logger) {
    this.#config = config
    this.#role = role
    this.#log = log
    this.#backend = openBackend(config, log)
    this.#accepter = this.#createAccepter()
    if (role === 'listener') this.#listener = new LocalListener(config, this.#backend, log)
    if (role === 'all') this.#listener = new ListenerThread(config)
  }

  /**
   * Starts and returns the URL that it listens on. If it cannot, it is stopped.
   * @throws PosthasteError `stream-unfit` or `stream-unavailable`; an error of the system if the address cannot be had
   */
  async start(): Promise<string> {
    try {
      return await this.#start()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async #start(): Promise<string> {
    const { stream } = this.#backend
    await stream.start()
    const url = await this.#accepter.start()
    await this.#listener?.start(url)
    this.#isListening = true
    return url
  }

  /**
   * Takes nothing new, answers what it took, lets running calls end for the grace period and gives up the rest, which is
   * called again by whoever comes next. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    await Promise.all([this.#accepter.stop(), this.#listener?.stop()])
    await this.#backend.close()
  }

  #createAccepter(): Accepter {
    const { stream } = this.#backend
    const recordBytesMax = acceptedRecordBytesMax(stream.supports.recordBytesMax, this.#config.responseSize)
    return new Accepter({
      host: this.#config.host,
      port: this.#config.port,
      clock: systemClock,
      log: this.#log,
      readiness: () => this.#readiness(),
      ...(this.#role !== 'listener' && {
        invocations: { recordBytesMax, append: (records) => stream.append('calls', records) },
      }),
      ...(this.#role !== 'accepter' && { cycle: { ping: (waitMs) => this.#runningListener().ping(waitMs) } }),
    })
  }

  #runningListener(): ListenerPart {
    if (!this.#listener || !this.#isListening)
      throw new PosthasteError('stream-unavailable', 'The listener is starting.')
    return this.#listener
  }

  async #readiness(): Promise<Readiness> {
    const health = await this.#backend.stream.health()
    const reasons: string[] = []
    if (!health.ready) reasons.push(health.reason)
    const blocked = await this.#blocked()
    if (blocked !== undefined) reasons.push(blocked)
    if (this.#stopped) reasons.push('This process is stopping.')
    return { ready: reasons.length === 0, reasons }
  }

  /** Why the listener does nothing; undefined if it works, or there is none. */
  async #blocked(): Promise<string | undefined> {
    if (!this.#listener || this.#stopped) return undefined
    if (!this.#isListening) return 'The listener is starting.'
    const late = sleep(ANSWER_MS_MAX, 'The listener does not answer.', { ref: false })
    return Promise.race([this.#listener.blocked(), late])
  }
}
