import type { Log } from '@posthaste/core'
import { Events, type Msg, MsgHdrsImpl, type NatsConnection } from 'nats'
import { unavailable } from './faults.js'
import { type NatsConnectionOptions, openConnection } from './options.js'
import { Replies } from './replies.js'

const AWAY = 'The connection to NATS is lost.'

/** A connection that mends itself, and knows whether it is whole. */
export class Connection {
  readonly nats: NatsConnection
  readonly #log: Log
  readonly #replies: Replies
  readonly #listeners = new Set<() => void>()
  #isWhole = true
  /** Whether the server did not answer, and has said nothing since. */
  #isSilent = false
  #isClosed = false
  /** What the server last said that this user may not do. */
  denied: string | undefined

  static async open(options: NatsConnectionOptions, log: Log): Promise<Connection> {
    return new Connection(await openConnection(options), log)
  }

  private constructor(nats: NatsConnection, log: Log) {
    this.nats = nats
    this.#log = log
    this.#replies = new Replies(nats, () => this.#silent())
    void this.#watch()
    void nats.closed().then((error) => {
      if (!this.#isClosed) log.error({ err: error }, 'the connection to NATS has ended')
      this.#closed()
    })
  }

  get isWhole(): boolean {
    return this.#isWhole && !this.#isSilent
  }

  /** Whether it will not come back. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Calls `listener` each time the connection is lost or back, until the function that is returned is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves after `timeoutMs`, or earlier when the connection is lost or back. */
  change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        stop()
        resolve()
      }
      const timer = setTimeout(done, timeoutMs)
      const stop = this.onChange(done)
    })
  }

  /** Publishes without an answer. @throws PosthasteError `stream-unavailable` */
  publish(subject: string, data: Uint8Array, headers?: Record<string, string[]>, reply?: string): void {
    if (!this.isWhole) throw unavailable(AWAY)
    this.nats.publish(subject, data, {
      ...(headers && { headers: MsgHdrsImpl.fromRecord(headers) }),
      ...(reply !== undefined && { reply }),
    })
  }

  /** Publishes and resolves with the answer. Rejects as soon as the connection is lost. */
  request(subject: string, data: Uint8Array, headers?: Record<string, string[]>): Promise<Msg> {
    return new Promise((resolve, reject) => {
      if (!this.isWhole) return reject(unavailable(AWAY))
      this.publish(subject, data, headers, this.#replies.expect(resolve, reject))
    })
  }

  async close(): Promise<void> {
    this.#closed()
    await this.nats.close()
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isWhole = false
    this.#replies.close()
    this.#tell()
  }

  async #watch(): Promise<void> {
    for await (const status of this.nats.status()) {
      if (status.type === Events.Disconnect) this.#lost()
      else if (status.type === Events.Reconnect) this.#back()
      else if (status.type === Events.Error && status.permissionContext) {
        const { operation, subject } = status.permissionContext
        this.denied = `${operation} to ${subject}`
        this.#log.error({ operation, subject }, 'NATS does not permit what is needed')
      }
    }
  }

  /** Nobody else waits for a server that says nothing, until it answers again. */
  #silent(): void {
    if (this.#isSilent || !this.#isWhole) return
    this.#isSilent = true
    this.#log.warn({}, 'NATS does not answer')
    this.#tell()
    // A connection that breaks meanwhile has its own way back.
    this.nats.flush().then(
      () => this.#heard(),
      () => undefined,
    )
  }

  #heard(): void {
    if (!this.#isSilent || this.#isClosed) return
    this.#isSilent = false
    if (!this.#isWhole) return
    this.#log.info({}, 'NATS answers again')
    this.#tell()
  }

  #lost(): void {
    if (this.#isClosed) return
    if (this.#isWhole) this.#log.warn({}, 'the connection to NATS is lost')
    this.#isWhole = false
    this.#replies.fail(AWAY)
    this.#tell()
  }

  #back(): void {
    if (this.#isClosed) return
    this.#log.info({}, 'the connection to NATS is back')
    this.#isWhole = true
    this.#isSilent = false
    this.#tell()
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}
