import type { Log } from '@posthaste/core'
import type { Begun, Completed, Delivery, NewRecord, NewTimer } from '@posthaste/stream'
import type { Ending } from './effects.js'
import { newTally, type Tally } from './tally.js'

/** Records in memory: waiting, running, or being written. */
const RECORDS_MAX = 8_192
const BYTES_MAX = 64 * 1024 * 1024
/** Of these, records that wait for a place. */
const WAITING_MAX = 512
/** No more are pulled while so many wait: many at once cost less than a few each time that one is done. */
const WAITING_ENOUGH = 256
/**
 * Of these, records of calls whose end is being written, beyond which no call starts: what a stream that is away does not
 * record is called again.
 */
const UNRECORDED_MAX = 2_048
/** At first fewer may wait, and one more for each that is done: nothing is known of the targets yet. */
const WAITING_MAX_FIRST = 128

/** What became of a record. */
export type Ended = Pick<Ending, 'effects'> & {
  readonly state: Ending['state'] | 'ticked' | 'deferred' | 'spilled' | 'parked' | 'repeated' | 'superseded'
  /** Called when it is written, or lost. */
  readonly onCompleted?: (how: Completed) => void
}

/** What was asked to be completed at one time. */
interface Completing {
  readonly completed: Promise<Completed>
  readonly all: { readonly delivery: Delivery; readonly ending: Ended }[]
}

/** The records that the dispatcher took and has not let go: keeps account of them and completes them. */
export class InHand {
  readonly #log: Log
  readonly #onCaughtUp: () => void
  #waitingMax = WAITING_MAX_FIRST
  #records = 0
  #bytes = 0
  /** Records whose turn is being looked up. */
  #lookedUp = 0
  #unrecorded = 0
  #tally = newTally()
  #completing: Completing | undefined
  readonly #changed = new Set<() => void>()

  /** `onCaughtUp` is called when it may no longer be `isBehind`. */
  constructor(log: Log, onCaughtUp: () => void) {
    this.#log = log
    this.#onCaughtUp = onCaughtUp
  }

  get tally(): Tally {
    return this.#tally
  }

  /** Starts counting anew. */
  resetTally(): void {
    this.#tally = newTally()
  }

  get isEmpty(): boolean {
    return this.#records === 0
  }

  /** Whether so many calls are not recorded yet that more of them would be made in vain. */
  get isBehind(): boolean {
    return this.#unrecorded >= UNRECORDED_MAX
  }

  /** How much more may be taken while `waiting` records wait for a place. */
  room(waiting: number): { readonly records: number; readonly bytes: number } {
    const all = waiting + this.#lookedUp
    const records = all >= WAITING_ENOUGH ? 0 : Math.min(this.#waitingMax - all, RECORDS_MAX - this.#records)
    return { records: Math.max(0, records), bytes: Math.max(0, BYTES_MAX - this.#bytes) }
  }

  /** Whether `waiting` are so many that soon no more will be pulled. */
  isCrowded(waiting: number): boolean {
    return waiting > Math.min(this.#waitingMax, WAITING_ENOUGH) / 2
  }

  take(delivery: Delivery): void {
    this.#tally.pulled += 1
    this.#records += 1
    this.#bytes += delivery.record.value.length
  }

  /** Waits for what is known of the turn of a record. Meanwhile that counts as one that waits for a place: it may be next. */
  async lookUp(begun: Begun | Promise<Begun>): Promise<Begun> {
    this.#lookedUp += 1
    try {
      return await begun
    } finally {
      this.#lookedUp -= 1
    }
  }

  /** Lets go of a delivery, completed or not. */
  release(delivery: Delivery): void {
    this.#records -= 1
    this.#waitingMax = Math.min(WAITING_MAX, this.#waitingMax + 1)
    this.#bytes -= delivery.record.value.length
    this.#notify()
  }

  /** Completes a delivery, then lets go of it. */
  complete(delivery: Delivery, ending: Ended): void {
    if (isEndOfCall(ending)) this.#unrecorded += 1
    const completed = delivery.complete(ending.effects)
    // Those that are written together may have one promise, and then need one that waits for it.
    if (completed !== this.#completing?.completed) this.#completing = this.#awaitCompletion(completed)
    this.#completing.all.push({ delivery, ending })
  }

  /** Lets go of the delivery of a call that goes on, once the watchdog has its place. */
  async checkOut(delivery: Delivery, watchdog: NewTimer, note: NewRecord): Promise<void> {
    this.#tally.checkedOut += 1
    await delivery.checkOut(watchdog, [note]).catch((error: unknown) => this.#giveUp(error))
    this.release(delivery)
  }

  /** Completes a delivery that was checked out. */
  async completeCheckedOut(delivery: Delivery, ending: Ended): Promise<void> {
    this.#count(ending, await delivery.complete(ending.effects).catch((error: unknown) => this.#giveUp(error)))
    this.#notify()
  }

  /** Brings the call of a delivery that was checked out back at the time of `timer` instead of that of its watchdog. */
  async handBack(delivery: Delivery, timer: NewTimer): Promise<void> {
    await delivery.complete({ timers: [timer] }).catch((error: unknown) => this.#giveUp(error))
    this.#notify()
  }

  /** Resolves when something was completed, or after `timeoutMs`. */
  change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#changed.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, timeoutMs)
      this.#changed.add(wake)
    })
  }

  #awaitCompletion(completed: Promise<Completed>): Completing {
    const completing: Completing = { completed, all: [] }
    void completed.then(
      (how) => this.#completed(completing, how),
      (error: unknown) => this.#completed(completing, this.#giveUp(error)),
    )
    return completing
  }

  #completed(completing: Completing, how: Completed): void {
    if (this.#completing === completing) this.#completing = undefined
    const wasBehind = this.isBehind
    for (const { delivery, ending } of completing.all) {
      if (isEndOfCall(ending)) this.#unrecorded -= 1
      this.#count(ending, how)
      this.release(delivery)
    }
    if (wasBehind) this.#onCaughtUp()
  }

  /** What cannot be written, not for a while but for good, comes again when this member is gone. */
  #giveUp(error: unknown): Completed {
    this.#log.error({ err: error }, 'what became of a record cannot be written')
    return 'lost'
  }

  #count(ending: Ended, completed: Completed): void {
    this.#tally[completed === 'done' ? ending.state : 'lost'] += 1
    ending.onCompleted?.(completed)
  }

  #notify(): void {
    for (const wake of this.#changed) wake()
  }
}

const NOT_CALLED: readonly Ended['state'][] = ['ticked', 'spilled', 'parked', 'deferred', 'repeated', 'superseded']

/** What is moved aside, or of no use, was not called. */
function isEndOfCall({ state }: Ended): boolean {
  return !NOT_CALLED.includes(state)
}
