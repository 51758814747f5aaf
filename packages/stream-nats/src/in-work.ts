import { sendGroup } from './acker.js'
import type { Connection } from './connection.js'
import type { NatsDelivery } from './nats-delivery.js'

const WORKING = Buffer.from('+WPI')
/** Looks in an ack wait. */
const LOOKS = 20
/** Signs of life that are sent in one turn of the event loop. */
const GROUP_MAX = 1_000

/**
 * The records that a consumer has in its hands. Gives the server a sign of life of each, three times in an ack wait,
 * and loses those of which the server may think that nobody works on them.
 *
 * All times are by `performance.now()`, and taken before what they tell of: a process may be frozen at any moment.
 */
export class InWork {
  readonly #connection: Connection
  readonly #ackWaitMs: number
  readonly #lost: (delivery: NatsDelivery) => void
  readonly #bySequence = new Map<number, NatsDelivery>()
  readonly #timer: NodeJS.Timeout
  #lookedAtMs = performance.now()
  #lookedBeforeMs = this.#lookedAtMs
  #isExtending = false

  constructor(connection: Connection, ackWaitMs: number, lost: (delivery: NatsDelivery) => void) {
    this.#connection = connection
    this.#ackWaitMs = ackWaitMs
    this.#lost = lost
    this.#timer = setInterval(() => this.#look(), ackWaitMs / LOOKS)
  }

  /**
   * Since when a message that is read now may have been on its way: not before the look before the last one, for what
   * came earlier was read in between. The last one alone would not do: after a freeze it may come before the reading.
   */
  get sentAfterMs(): number {
    return this.#lookedBeforeMs
  }

  get size(): number {
    return this.#bySequence.size
  }

  get(sequence: number): NatsDelivery | undefined {
    return this.#bySequence.get(sequence)
  }

  add(delivery: NatsDelivery): void {
    this.#bySequence.set(delivery.record.offset, delivery)
  }

  /** Says whether it was there. */
  remove(delivery: NatsDelivery): boolean {
    const { offset } = delivery.record
    return this.#bySequence.get(offset) === delivery && this.#bySequence.delete(offset)
  }

  all(): Iterable<NatsDelivery> {
    return this.#bySequence.values()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    this.#lookedBeforeMs = this.#lookedAtMs
    this.#lookedAtMs = performance.now()
    const due: NatsDelivery[] = []
    for (const delivery of this.#bySequence.values()) {
      const ageMs = this.#lookedAtMs - delivery.extendedAtMs
      if (ageMs >= this.#ackWaitMs) this.#lost(delivery)
      else if (ageMs >= this.#ackWaitMs / 3) due.push(delivery)
    }
    if (due.length > 0 && !this.#isExtending && this.#connection.isWhole) void this.#extend(due)
  }

  async #extend(due: readonly NatsDelivery[]): Promise<void> {
    this.#isExtending = true
    try {
      for (let from = 0; from < due.length; from += GROUP_MAX) {
        const group = due.slice(from, from + GROUP_MAX)
        const sentAtMs = performance.now()
        await sendGroup(
          this.#connection,
          group.map(({ replySubject }) => replySubject),
          WORKING,
        )
        for (const delivery of group) delivery.extendedAtMs = Math.max(delivery.extendedAtMs, sentAtMs)
      }
    } catch {
      // The next look tries again, until the ack wait is over.
    } finally {
      this.#isExtending = false
    }
  }
}
