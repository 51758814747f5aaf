import { type Call, type ErrorCode, isTick } from '@posthaste/core'
import type { Begun, Delivery, Effects } from '@posthaste/stream'
import { type Readable, read, turnOfReading } from './admission.js'
import type { Control } from './control.js'
import { effectsAgain } from './effects.js'
import type { InHand } from './in-hand.js'
import { isSameTurn, type Job, jobOf } from './job.js'
import type { ListenerOptions } from './listener-options.js'
import { tickEffectsAgain } from './tick-effects.js'

export interface IntakeOptions
  extends Pick<ListenerOptions, 'clock' | 'functions' | 'log' | 'name' | 'recordBytesMax' | 'targetRules'> {
  readonly control: Control
  readonly inHand: InHand
  /** Moves a record aside that is not worth reading now, and tells whether it did. */
  readonly spillUnread: (delivery: Delivery) => boolean
  /** Takes what is to be called, or put off. */
  readonly place: (job: Job) => void
  /** Whether a record of the turn of this call was handed on, and is still in hand. */
  readonly holds: (call: Call) => boolean
}

/** Reads what was pulled, finds out what is known of its turn, and hands on what is to be called. */
export class Intake {
  readonly #options: IntakeOptions
  /** What is asked of their invocations is being done, or what they take the place of is in hand. */
  readonly #waiting: Delivery[] = []
  /** Calls of which it is being found out what is known of their turn. */
  readonly #lookedUp = new Set<Call>()
  #blocked: string | undefined
  #stopping = false

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  /** Why nothing more may be pulled; undefined while all is well. */
  get blocked(): string | undefined {
    return this.#blocked
  }

  get waitingCount(): number {
    return this.#waiting.length
  }

  take(delivery: Delivery): void {
    const { clock, inHand, name, spillUnread } = this.#options
    if (this.#stopping || this.#blocked) {
      inHand.release(delivery)
      return
    }
    if (spillUnread(delivery)) return
    const reading = read(delivery.record, this.#options, { atMs: clock.now(), listener: name })
    if (reading.kind === 'newer') {
      this.#block(delivery, reading.code, reading.reason)
      return
    }
    if (this.#isHeldBack(delivery, reading)) return
    const begun = delivery.begin(turnOfReading(delivery.record, reading))
    if (begun === 'fresh') this.#handOn(delivery, reading)
    else void this.#handOnKnown(delivery, reading, begun).catch((error: unknown) => this.#giveUp(delivery, error))
  }

  /** Looks again at what had to wait. */
  takeWaiting(): void {
    for (const delivery of this.#waiting.splice(0)) this.take(delivery)
  }

  /** Lets go of all that is not handed on, and of what comes. */
  stop(): void {
    this.#stopping = true
    this.takeWaiting()
  }

  /**
   * Whether a record is not to be begun: it is of no use, or nobody knows yet whether it is. Begun, it would make a copy of
   * the one that has taken its place.
   */
  #isHeldBack(delivery: Delivery, reading: Readable): boolean {
    if (reading.kind === 'unreadable') return false
    const { control, inHand } = this.#options
    const { call } = reading.decoded
    // What comes of a tick depends on what was asked, also where it has ended.
    const isEarly = isTick(call) && !control.isCurrent
    // What has ended has consequences, which whoever begins it is told.
    if (delivery.ended && !isEarly) return false
    const order = control.orderFor(call)
    // What a tick did is done before anything else counts: its invocation may be missing.
    if (order === 'drop' && !isTick(call)) {
      inHand.complete(delivery, control.carryOut(order, jobOf(delivery, reading.decoded)))
      return true
    }
    // Begun, one that was moved would be taken for a copy of the one whose place it takes, and neither would be left.
    const isHeldBack = isEarly || order === 'wait' || (call.move !== undefined && this.#holds(call))
    if (isHeldBack) this.#waiting.push(delivery)
    return isHeldBack
  }

  /** Whether another record of the turn of this call is in hand. */
  #holds(call: Call): boolean {
    return this.#options.holds(call) || [...this.#lookedUp].some((other) => isSameTurn(other, call))
  }

  #handOn(delivery: Delivery, reading: Readable): void {
    if (reading.kind === 'call') this.#options.place(jobOf(delivery, reading.decoded))
    else this.#options.inHand.complete(delivery, reading.ending)
  }

  /** A record of a turn that somebody may have recorded, or that came twice. */
  async #handOnKnown(delivery: Delivery, reading: Readable, begun: Begun | Promise<Begun>): Promise<void> {
    const { inHand } = this.#options
    const call = reading.kind === 'unreadable' ? undefined : reading.decoded.call
    if (call) this.#lookedUp.add(call)
    try {
      const known = await inHand.lookUp(begun)
      if (this.#stopping || this.#blocked) inHand.release(delivery)
      else if (known === 'fresh') this.#handOn(delivery, reading)
      else {
        const effects = known === 'copy' || !call ? {} : this.#effectsAgain(call, known)
        inHand.complete(delivery, { state: 'repeated', effects })
      }
    } finally {
      // Only now: what is handed on is in hand there.
      if (call) this.#lookedUp.delete(call)
    }
  }

  #effectsAgain(call: Call, journalValue: Uint8Array): Effects {
    if (!isTick(call)) return effectsAgain(call, journalValue, this.#options)
    return tickEffectsAgain(call, journalValue, this.#options.control.orderFor(call) === 'drop')
  }

  #block(delivery: Delivery, code: ErrorCode, reason: string): void {
    this.#blocked = reason
    this.#options.log.error({ code, offset: delivery.record.offset }, reason)
    this.#options.inHand.release(delivery)
  }

  /** It comes again when this member is gone, or no longer has it. */
  #giveUp(delivery: Delivery, error: unknown): void {
    this.#options.log.error({ err: error, offset: delivery.record.offset }, 'what is known of a record cannot be read')
    this.#options.inHand.release(delivery)
  }
}
