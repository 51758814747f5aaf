import type { NatsDelivery } from './nats-delivery.js'

/**
 * What is not due when its timer fires waits for the rest: Node's may be a moment early. More than this is a matter of a
 * clock that was set.
 */
const WAIT_AGAIN_MS_MAX = 2_000

/** Records that wait here for their time, in memory. They stay in work meanwhile. */
export class Shelf {
  readonly #due: (delivery: NatsDelivery) => void
  readonly #timers = new Map<NatsDelivery, NodeJS.Timeout>()
  #bytes = 0

  /** `due` is told of each when its time has come. */
  constructor(due: (delivery: NatsDelivery) => void) {
    this.#due = due
  }

  get size(): number {
    return this.#timers.size
  }

  /** Of their values. */
  get bytes(): number {
    return this.#bytes
  }

  has(delivery: NatsDelivery): boolean {
    return this.#timers.has(delivery)
  }

  /** `dueMs` in milliseconds since the Unix epoch. */
  put(delivery: NatsDelivery, dueMs: number): void {
    this.#bytes += delivery.record.value.length
    this.#wait(delivery, dueMs)
  }

  /** Does nothing if it is not here. */
  remove(delivery: NatsDelivery): void {
    clearTimeout(this.#timers.get(delivery))
    if (this.#timers.delete(delivery)) this.#bytes -= delivery.record.value.length
  }

  /** Removes all and returns them. */
  clear(): NatsDelivery[] {
    const all = [...this.#timers.keys()]
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    this.#bytes = 0
    return all
  }

  #wait(delivery: NatsDelivery, dueMs: number): void {
    const timer = setTimeout(() => {
      const earlyMs = dueMs - Date.now()
      if (earlyMs > 0 && earlyMs < WAIT_AGAIN_MS_MAX) this.#wait(delivery, dueMs)
      else {
        this.remove(delivery)
        this.#due(delivery)
      }
    }, dueMs - Date.now())
    this.#timers.set(delivery, timer)
  }
}
