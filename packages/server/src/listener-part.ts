import type { FunctionMap } from '@posthaste/core'
import { type CycleReport, Listener } from '@posthaste/listener'
import type { Consumer } from '@posthaste/stream'
import type { Logger } from 'pino'
import type { Backend } from './backend.js'
import type { Config } from './config/table.js'
import { LISTENERS_GROUP, listenerOptions } from './listener-options.js'
import { ListenerMetrics } from './metrics.js'

export type PingReport = CycleReport & { readonly drained: boolean }

/** The listener of a server, in the server's own thread or in another. */
export interface ListenerPart {
  /** `url` is told to members that stand by. May be repeated if it failed. @throws PosthasteError */
  start(url: string): Promise<void>
  ping(waitMs: number): Promise<PingReport>
  report(): Promise<CycleReport>
  /** For Prometheus. */
  metrics(): Promise<string>
  /** Why it pulls nothing; undefined while all is well. */
  blocked(): Promise<string | undefined>
  /** Lets running calls end for the grace period, then gives up what it owns. Idempotent, also without a start. */
  stop(): Promise<void>
}

/** A listener on a stream of this thread. */
export class LocalListener implements ListenerPart {
  readonly #config: Config
  readonly #backend: Backend
  readonly #log: Logger
  readonly #metrics = new ListenerMetrics()
  readonly #functions: () => FunctionMap
  #consumer: Consumer | undefined
  #listener: Listener | undefined

  constructor(config: Config, backend: Backend, log: Logger, functions: () => FunctionMap) {
    this.#config = config
    this.#backend = backend
    this.#log = log
    this.#functions = functions
    this.#metrics.watchBreakers(() => this.#listener?.openBreakers ?? [])
  }

  async start(url: string): Promise<void> {
    const { stream } = this.#backend
    this.#consumer ??= await stream.consume(LISTENERS_GROUP, { member: url })
    this.#listener = new Listener({
      ...listenerOptions(this.#config, stream, this.#consumer, this.#log, url, this.#functions),
      onAttempt: (attempt) => this.#metrics.count(attempt),
    })
    await this.#listener.start()
  }

  ping(waitMs: number): Promise<PingReport> {
    return (this.#listener as Listener).ping('ping', waitMs)
  }

  report(): Promise<CycleReport> {
    return (this.#listener as Listener).report()
  }

  metrics(): Promise<string> {
    return this.#metrics.text()
  }

  async blocked(): Promise<string | undefined> {
    return this.#listener?.blocked
  }

  async stop(): Promise<void> {
    await this.#listener?.stop(this.#config.stopGrace)
    await this.#consumer?.stop()
  }
}
