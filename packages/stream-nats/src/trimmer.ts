import { KeptOffset } from '@posthaste/stream'
import type { ConsumerInfo } from 'nats'
import type { NatsParts } from './parts.js'

/** Removes calls below what a group has completed, a while later. Every member does: it is little work, and harmless to do twice. */
export class Trimmer {
  readonly #parts: NatsParts
  readonly #completed = new KeptOffset()
  #trimmedTo = 0
  #isTrimming = false

  constructor(parts: NatsParts) {
    this.#parts = parts
  }

  /** Nobody waits for it: it may be slow, or fail again and again. */
  async trim({ ack_floor }: ConsumerInfo): Promise<void> {
    const { connection, manager, naming, log } = this.#parts
    this.#completed.moveTo(ack_floor.stream_seq)
    const completed = this.#completed.before(performance.now())
    if (this.#isTrimming || completed <= this.#trimmedTo) return
    this.#isTrimming = true
    try {
      // Never without the filter: timers that wait stand among the calls.
      await manager.streams.purge(naming.stream('calls'), { filter: naming.callsSubject, seq: completed + 1 })
      this.#trimmedTo = completed
    } catch (error) {
      if (connection.isWhole) log.warn({ err: error }, 'completed calls cannot be removed now')
    } finally {
      this.#isTrimming = false
    }
  }
}
