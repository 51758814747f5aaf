import { findDurable, type GroupOptions, type Joined, joinGroup } from './durable.js'
import type { NatsParts } from './parts.js'
import { Trimmer } from './trimmer.js'

const LOOK_EVERY_MS = 1_000
const CANNOT_LOOK = 'the NATS consumer cannot be asked where it stands'

/**
 * Looks after the durable consumer of a group: makes it anew where it is gone, removes from the stream what it has
 * completed, and knows what the server can have delivered before without remembering it.
 */
export class Upkeep {
  readonly #parts: NatsParts
  readonly #group: GroupOptions
  readonly #name: string
  readonly #pending: (records: number) => void
  readonly #trimmer: Trimmer
  readonly #looking: NodeJS.Timeout
  readonly #ignoreChanges: () => void
  #surelyFirstAbove: number
  #isLooking = false

  /** `pending` is told now and then how many records all members have in work. */
  constructor(parts: NatsParts, group: GroupOptions, joined: Joined, pending: (records: number) => void) {
    this.#parts = parts
    this.#group = group
    this.#name = joined.consumer
    this.#pending = pending
    this.#surelyFirstAbove = joined.surelyFirstAbove
    this.#trimmer = new Trimmer(parts)
    this.#looking = setInterval(() => void this.#look(), LOOK_EVERY_MS)
    this.#ignoreChanges = parts.connection.onChange(() => void this.#rejoin())
  }

  /** Above it, what the server calls a first delivery is one. */
  get surelyFirstAbove(): number {
    return this.#surelyFirstAbove
  }

  stop(): void {
    clearInterval(this.#looking)
    this.#ignoreChanges()
  }

  async #look(): Promise<void> {
    if (this.#isLooking || !this.#parts.connection.isWhole) return
    this.#isLooking = true
    await this.#lookNow()
    this.#isLooking = false
  }

  async #lookNow(): Promise<void> {
    const { connection, manager, naming, log } = this.#parts
    try {
      const durable = await findDurable(manager, naming.stream('calls'), this.#name)
      if (durable) {
        this.#pending(durable.num_ack_pending)
        void this.#trimmer.trim(durable)
      } else log.error({ group: this.#group.group }, 'the NATS consumer was removed; it is made anew')
      // Or it could not be asked before.
      if (!durable || this.#surelyFirstAbove === Number.POSITIVE_INFINITY) await this.#rejoin()
    } catch (error) {
      if (connection.isWhole) log.warn({ err: error }, CANNOT_LOOK)
    }
  }

  /** The server may be one that has forgotten, or has no consumer any more. */
  async #rejoin(): Promise<void> {
    this.#surelyFirstAbove = Number.POSITIVE_INFINITY
    const { connection, manager, naming, log } = this.#parts
    if (!connection.isWhole) return
    try {
      this.#surelyFirstAbove = (await joinGroup(manager, naming, this.#group)).surelyFirstAbove
    } catch (error) {
      log.warn({ err: error }, CANNOT_LOOK)
    }
  }
}
