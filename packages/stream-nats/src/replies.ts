import { createInbox, type Msg, type NatsConnection } from 'nats'
import { unavailable } from './faults.js'

/** After so long nobody waits for an answer any more: what was asked for may have been done. */
const TIMEOUT_MS = 5_000
const SWEEP_MS = 500
const NO_RESPONDERS = 503

/**
 * Who waits for which answer. One subscription and one timer serve all: the library's own requests cost three times as
 * much, most of it for a timer each.
 */
export class Replies {
  readonly #inbox: string
  /** In the order in which they were asked for, so that the oldest stand first. */
  readonly #waiting = new Map<string, Waiting>()
  readonly #sweep: NodeJS.Timeout
  readonly #late: () => void
  #last = 0

  /** `late` is told that an answer did not come in time. */
  constructor(connection: NatsConnection, late: () => void) {
    this.#late = late
    this.#inbox = `${createInbox()}.`
    connection.subscribe(`${this.#inbox}*`, { callback: (_, message) => this.#settle(message) })
    this.#sweep = setInterval(() => this.#expire(), SWEEP_MS)
  }

  /** Where an answer is to be sent, for whoever calls `resolve` with it. */
  expect(resolve: (message: Msg) => void, reject: (error: Error) => void): string {
    this.#last += 1
    const token = this.#last.toString(36)
    this.#waiting.set(token, { resolve, reject, untilMs: performance.now() + TIMEOUT_MS })
    return this.#inbox + token
  }

  /** Rejects everything that is waited for. */
  fail(reason: string): void {
    const error = unavailable(reason)
    const all = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of all) reject(error)
  }

  close(): void {
    clearInterval(this.#sweep)
    this.fail('The connection to NATS is closed.')
  }

  #settle(message: Msg): void {
    const token = message.subject.slice(this.#inbox.length)
    const waiting = this.#waiting.get(token)
    if (!waiting) return
    this.#waiting.delete(token)
    if (message.data.length === 0 && message.headers?.code === NO_RESPONDERS) {
      waiting.reject(unavailable('The NATS stream has no leader now.'))
    } else waiting.resolve(message)
  }

  #expire(): void {
    const nowMs = performance.now()
    for (const [token, { reject, untilMs }] of this.#waiting) {
      if (untilMs > nowMs) return
      this.#waiting.delete(token)
      this.#late()
      reject(unavailable('NATS did not answer in time.'))
    }
  }
}

interface Waiting {
  readonly resolve: (message: Msg) => void
  readonly reject: (error: Error) => void
  readonly untilMs: number
}
