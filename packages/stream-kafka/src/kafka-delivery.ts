import type { Begun, Completed, Delivery, Effects, NewRecord, NewTimer, StoredRecord, Turn } from '@posthaste/stream'
import type { Claimant } from './claimant.js'
import type { OwnedPartition } from './owned-partition.js'
import { turnText, type Watched } from './record-codec.js'
import type { Queued } from './record-queue.js'

/** How much of the time until its partition is lost a call is left alone: most end by themselves. */
const LEFT_ALONE_MS = 250

/** What a delivery needs of its consumer. */
export interface DeliverySource {
  held(delivery: KafkaDelivery): boolean
  write(delivery: KafkaDelivery, effects: Effects): Promise<Completed>
  checkOut(delivery: KafkaDelivery, watchdog: NewTimer, notes: readonly NewRecord[]): Promise<Completed>
}

/** A record in the hands of a Kafka consumer. */
export class KafkaDelivery implements Delivery, Claimant {
  readonly record: StoredRecord
  readonly partition: OwnedPartition
  readonly watched: Watched | undefined
  /** Whether a watchdog has its place. Changed by its consumer only. */
  isOut = false
  readonly #source: DeliverySource
  readonly #loss = new AbortController()
  #turn: string | undefined
  #completed: Promise<Completed> | undefined
  #checkedOut: Promise<Completed> | undefined
  #watchdog: NewTimer | undefined

  constructor({ record, watched }: Queued, partition: OwnedPartition, source: DeliverySource) {
    this.record = record
    this.watched = watched
    this.partition = partition
    this.#source = source
  }

  get at(): number {
    return this.record.offset
  }

  get lost(): AbortSignal {
    return this.#loss.signal
  }

  /** The turn that it began. */
  get turn(): string | undefined {
    return this.#turn
  }

  /** What takes its place, if it was to be checked out. */
  get watchdog(): NewTimer | undefined {
    return this.#watchdog
  }

  get leaving(): boolean {
    const { lostMs, state } = this.partition
    return state === 'losing' && lostMs !== undefined && performance.now() - lostMs > LEFT_ALONE_MS
  }

  get ended(): boolean {
    return this.partition.ledger.isTaken(turnText(this.record))
  }

  lose(): void {
    this.#loss.abort()
  }

  held(): boolean {
    return !this.#loss.signal.aborted && this.#source.held(this)
  }

  begin(turn: Turn): Begun | Promise<Begun> {
    this.#turn = turnText(turn)
    // Whether it is a copy shows when that is over: what is given up after all has no other record.
    const act = this.partition.acts.under(this.#turn)
    return act ? act.then(() => this.begin(turn)) : this.partition.ledger.begin(turn, this)
  }

  complete(effects: Effects = {}): Promise<Completed> {
    // After a check-out, whose watchdog is dropped then.
    this.#completed ??= this.#checkedOut
      ? this.#checkedOut.then(() => this.#source.write(this, effects))
      : this.#source.write(this, effects)
    return this.#completed
  }

  checkOut(watchdog: NewTimer, notes: readonly NewRecord[] = []): Promise<Completed> {
    if (!this.#completed) this.#watchdog ??= watchdog
    this.#checkedOut ??= this.#completed ?? this.#source.checkOut(this, watchdog, notes)
    return this.#checkedOut
  }
}
