import type { ConsumerInfo } from 'nats'
import { findDurable } from './durable.js'
import type { NatsParts } from './parts.js'

/** Removes calls below what a group has completed. Every member does: it is little work, and harmless to do twice. */
export class Trimmer {
  readonly #parts: NatsParts
  readonly #consumer: string
  #trimmedTo = 0

  constructor(parts: NatsParts, consumer: string) {
    this.#parts = parts
    this.#consumer = consumer
  }

  /** Resolves with what the server says of the group's consumer; undefined if it is no longer there. */
  async trim(): Promise<ConsumerInfo | undefined> {
    const { manager, naming } = this.#parts
    const stream = naming.stream('calls')
    const durable = await findDurable(manager, stream, this.#consumer)
    if (!durable) return undefined
    const completed = durable.ack_floor.stream_seq
    if (completed > this.#trimmedTo) {
      // Never without the filter: timers that wait stand among the calls.
      await manager.streams.purge(stream, { filter: naming.callsSubject, seq: completed + 1 })
      this.#trimmedTo = completed
    }
    return durable
  }
}
