import type { Completed, Delivery, Effects, StoredRecord } from '@posthaste/stream'
import type { TimerKey } from './timers.js'

/** What a delivery asks its consumer to write. */
export interface Completion {
  readonly delivery: EmbeddedDelivery
  readonly effects: Effects
  /** Set to put a copy of the record on the timers instead of applying effects. */
  readonly checkOutUntilMs: number | undefined
  readonly settle: (completed: Completed) => void
}

/** What a delivery needs of its consumer. */
export interface DeliverySource {
  readonly lost: AbortSignal
  held(): boolean
  write(completion: Completion): void
}

/** A record in the hands of an embedded consumer. */
export class EmbeddedDelivery implements Delivery {
  readonly record: StoredRecord
  /** Where the copy of a call that was checked out waits. Changed by its consumer only, after a commit. */
  watchdog: TimerKey | undefined
  /** Whether its completion is written. Changed by its consumer only, after a commit. */
  isWritten = false
  readonly #source: DeliverySource
  readonly lost: AbortSignal
  #completed: Promise<Completed> | undefined
  #checkedOut: Promise<Completed> | undefined

  constructor(record: StoredRecord, source: DeliverySource) {
    this.record = record
    this.#source = source
    // The signal of this ownership: a later one of the same consumer has another.
    this.lost = source.lost
  }

  held(): boolean {
    return !this.lost.aborted && this.#source.held()
  }

  complete(effects: Effects = {}): Promise<Completed> {
    this.#completed ??= this.#write(effects, undefined)
    return this.#completed
  }

  checkOut(dueMs: number): Promise<Completed> {
    this.#checkedOut ??= this.#completed ?? this.#write({}, dueMs)
    return this.#checkedOut
  }

  #write(effects: Effects, checkOutUntilMs: number | undefined): Promise<Completed> {
    if (this.lost.aborted) return Promise.resolve('lost')
    return new Promise((settle) => {
      this.#source.write({ delivery: this, effects, checkOutUntilMs, settle })
    })
  }
}
