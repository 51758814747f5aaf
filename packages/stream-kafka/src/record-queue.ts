import type { StoredRecord } from '@posthaste/stream'
import type { Watched } from './record-codec.js'

/** A record that was read and waits to be pulled. */
export interface Queued {
  readonly record: StoredRecord
  /** Whose place it has taken, if it is a watchdog. */
  readonly watched: Watched | undefined
}

export interface QueuedWatchdog extends Queued {
  readonly watched: Watched
}

/** First in, first out, and knows its bytes. */
export class RecordQueue {
  #items: Queued[] = []
  #first = 0
  #bytes = 0

  get length(): number {
    return this.#items.length - this.#first
  }

  get bytes(): number {
    return this.#bytes
  }

  push(item: Queued): void {
    this.#items.push(item)
    this.#bytes += item.record.value.length
  }

  /** Puts it before all others. */
  unshift(item: Queued): void {
    this.#items.splice(this.#first, 0, item)
    this.#bytes += item.record.value.length
  }

  shift(): Queued | undefined {
    const item = this.#items[this.#first]
    if (!item) return undefined
    this.#first += 1
    this.#bytes -= item.record.value.length
    if (this.#first === this.#items.length || this.#first > 1_000) {
      this.#items = this.#items.slice(this.#first)
      this.#first = 0
    }
    return item
  }
}
