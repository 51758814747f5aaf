import type { Effects } from '@posthaste/stream'
import type { NatsDelivery } from './nats-delivery.js'
import { Shelf } from './shelf.js'

/**
 * For how long a record is put off here, all times together. Meanwhile completed calls behind it cannot be removed from
 * the stream.
 */
const HELD_MS_MAX = 60_000
const BYTES_MAX = 32 * 1024 * 1024
/** What one member puts off may be this share of what all members together may have in work. */
const SHARE_MAX = 1 / 4
/** No more is put off here while this share of it is in work. */
const CROWDED_SHARE = 1 / 2

/**
 * Records that are moved aside and come back soon. These stay in work and wait in memory, for that costs the server no
 * write; a timer would cost it a sync of the disk, and another to fire it. If this process dies the server delivers them
 * again, as all that is in work.
 */
export class PutOffs {
  readonly #maxAckPending: number
  readonly #shelf: Shelf
  #isCrowded = false

  /** `due` is told of each when its time has come. */
  constructor(maxAckPending: number, due: (delivery: NatsDelivery) => void) {
    this.#maxAckPending = maxAckPending
    this.#shelf = new Shelf(due)
  }

  has(delivery: NatsDelivery): boolean {
    return this.#shelf.has(delivery)
  }

  /** How many records all members have in work, as the server says from time to time. */
  note(ackPending: number): void {
    this.#isCrowded = ackPending > this.#maxAckPending * CROWDED_SHARE
  }

  /** Keeps the record for its next delivery, which is returned; undefined if its effects are to be written. */
  take(delivery: NatsDelivery, effects: Effects): NatsDelivery | undefined {
    const { aside, timers: [timer] = [], notes = [], control = [] } = effects
    if (!aside || !timer || !this.#hasRoom || !delivery.held()) return undefined
    // What tells others of it has to be written, and then the rest is as well.
    if (notes.length > 0 || control.length > 0) return undefined
    if (timer.dueMs > delivery.cameAtMs + HELD_MS_MAX) return undefined
    const again = delivery.again()
    this.#shelf.put(again, timer.dueMs)
    return again
  }

  remove(delivery: NatsDelivery): void {
    this.#shelf.remove(delivery)
  }

  clear(): void {
    this.#shelf.clear()
  }

  get #hasRoom(): boolean {
    const { size, bytes } = this.#shelf
    return !this.#isCrowded && size < this.#maxAckPending * SHARE_MAX && bytes < BYTES_MAX
  }
}
