import type { Begun, Completed, Delivery, Effects, NewRecord, NewTimer, StoredRecord, Turn } from '@posthaste/stream'
import type { Completion } from './completion.js'
import type { TimerKey } from './timers.js'

/** What a delivery needs of its consumer. */
export interface DeliverySource {
  readonly lost: AbortSignal
  held(): boolean
  begin(delivery: EmbeddedDelivery, turn: Turn): Begun
  write(completion: Completion): Promise<Completed>
}

/** A record in the hands of an embedded consumer. */
export class EmbeddedDelivery implements Delivery {
  readonly record: StoredRecord
  /** Another takes what is here only from one that has stopped, or is silent. */
  readonly leaving = false
  /** Where the watchdog of a call that was checked out waits. Changed by its consumer only, after a commit. */
  watchdogKey: TimerKey | undefined
  /** Whether its completion is written. Changed by its consumer only, after a commit. */
  isWritten = false
  /** The turn that it is known to be in work for. Changed by its consumer only. */
  turnText: string | undefined
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

  begin(turn: Turn): Begun {
    return this.#source.begin(this, turn)
  }

  complete(effects: Effects = {}): Promise<Completed> {
    // After a check-out: its watchdog must be there to be taken away.
    this.#completed ??= this.#checkedOut
      ? this.#checkedOut.then(() => this.#write(effects, undefined))
      : this.#write(effects, undefined)
    return this.#completed
  }

  checkOut(watchdog: NewTimer, notes: readonly NewRecord[] = []): Promise<Completed> {
    this.#checkedOut ??= this.#completed ?? this.#write({ notes }, watchdog)
    return this.#checkedOut
  }

  #write(effects: Effects, watchdog: NewTimer | undefined): Promise<Completed> {
    if (this.lost.aborted) return Promise.resolve('lost')
    return this.#source.write({ delivery: this, effects, watchdog })
  }
}
