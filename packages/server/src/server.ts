import { Accepter, type Readiness } from '@posthaste/accepter'
import { acceptedRecordBytesMax, PosthasteError, systemClock } from '@posthaste/core'
import { Listener } from '@posthaste/listener'
import type { Consumer } from '@posthaste/stream'
import type { Logger } from 'pino'
import { type Backend, openBackend } from './backend.js'
import type { Config } from './config/table.js'
import { LISTENERS_GROUP, listenerOptions } from './listener-options.js'

/** Which parts of Posthaste a process runs. */
export type Role = 'all' | 'accepter' | 'listener'

/** One Posthaste process: a stream, and on it an accepter, a listener, or both. */
export class Server {
  readonly #config: Config
  readonly #role: Role
  readonly #log: Logger
  readonly #backend: Backend
  readonly #accepter: Accepter
  #consumer: Consumer | undefined
  #listener: Listener | undefined
  #stopped: Promise<void> | undefined

  constructor(config: Config, role: Role, log: Logger) {
    this.#config = config
    this.#role = role
    this.#log = log
    this.#backend = openBackend(config, log)
    this.#accepter = this.#createAccepter()
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
    if (this.#role !== 'accepter') {
      this.#consumer = await stream.consume(LISTENERS_GROUP, { member: url })
      this.#listener = new Listener(listenerOptions(this.#config, stream, this.#consumer, this.#log))
      await this.#listener.start()
    }
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
    await Promise.all([this.#accepter.stop(), this.#listener?.stop(this.#config.stopGrace)])
    await this.#consumer?.stop()
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
      ...(this.#role !== 'accepter' && { cycle: { ping: (waitMs) => this.#runningListener().ping('ping', waitMs) } }),
    })
  }

  #runningListener(): Listener {
    if (!this.#listener) throw new PosthasteError('stream-unavailable', 'The listener is starting.')
    return this.#listener
  }

  async #readiness(): Promise<Readiness> {
    const health = await this.#backend.stream.health()
    const reasons: string[] = []
    if (!health.ready) reasons.push(health.reason)
    if (this.#role !== 'accepter' && !this.#listener) reasons.push('The listener is starting.')
    if (this.#listener?.blocked !== undefined) reasons.push(this.#listener.blocked)
    if (this.#stopped) reasons.push('This process is stopping.')
    return { ready: reasons.length === 0, reasons }
  }
}
