import { type Call, type Directive, isTick } from '@posthaste/core'
import type { Completed, StoredRecord } from '@posthaste/stream'
import { ControlFollower, KNOWN_WITHIN_MS } from './control-follower.js'
import { DirectiveActs, type DirectiveActsOptions } from './directive-acts.js'
import { cancelEffects, controlRecord, done, emptyRecord, moveEffects, withoutRecord } from './directive-effects.js'
import { type Asked, Directives, type Order } from './directives.js'
import type { Ending } from './effects.js'
import type { Ended } from './in-hand.js'
import type { Job } from './job.js'
import type { ListenerOptions } from './listener-options.js'
import { steerTick } from './tick-effects.js'

const TIDY_EVERY_MS = 1_000
/** How long after the start nothing is forgotten: what came due while no listener was there comes then. */
const FORGET_AFTER_MS = 600_000
/** By how much longer than needed it is left to whoever has the record in hand. */
const ACT_MARGIN_MS = 500
/** Written again, or forgotten, at once. */
const TIDY_SOME = 100

export interface ControlOptions extends ListenerOptions, Pick<DirectiveActsOptions, 'settle' | 'tally'> {
  /** Called when it `isCurrent` again. */
  readonly onCaughtUp: () => void
}

/**
 * What is asked of invocations while they go on: knows it, says what it makes of a record, and sees to it that it is
 * done.
 */
export class Control {
  readonly #options: ControlOptions
  readonly #directives: Directives
  readonly #follower: ControlFollower
  readonly #acts: DirectiveActs
  #tidying: NodeJS.Timeout | undefined
  #forgetMs = Number.POSITIVE_INFINITY

  constructor(options: ControlOptions) {
    const { owners } = options.control.supports
    this.#options = options
    this.#directives = new Directives({
      clock: options.clock,
      // Where nobody owns a key: when all who have its record in hand know of it, or know that they do not.
      actAfterMs: owners ? 0 : KNOWN_WITHIN_MS + ACT_MARGIN_MS,
    })
    const { control, log, onCaughtUp } = options
    this.#follower = new ControlFollower(control, log, (records) => this.#read(records), onCaughtUp)
    this.#acts = new DirectiveActs({ ...options, directives: this.#directives })
  }

  /** Idempotent. */
  start(): void {
    if (this.#tidying) return
    this.#follower.start()
    this.#forgetMs = this.#options.clock.now() + FORGET_AFTER_MS
    this.#tidying = setInterval(() => void this.#tidy(), TIDY_EVERY_MS)
  }

  async stop(): Promise<void> {
    clearInterval(this.#tidying)
    await Promise.all([this.#follower.stop(), this.#acts.stop()])
  }

  /** Whether nothing was asked up to a moment ago that is not known. Otherwise nothing may be called. */
  get isCurrent(): boolean {
    return this.#follower.isCurrent
  }

  /** Whether all that was asked is known, and what can be done here is. */
  get isSettled(): boolean {
    return this.isCurrent && !this.#acts.isBusy
  }

  /** What is wrong if nothing is called; undefined while all is well. */
  get failure(): string | undefined {
    return this.#follower.failure
  }

  orderFor(call: Call): Order {
    return this.#directives.orderFor(call)
  }

  /** Whether a call may be made now. */
  allows(call: Call): boolean {
    return this.isCurrent && this.#directives.orderFor(call) === 'call'
  }

  /** Whether a call that runs is of no use any more. */
  isCancelled({ generation, id }: Call): boolean {
    const directive = this.#directives.find(id)?.directive
    return directive?.kind === 'cancel' && directive.generation >= generation
  }

  /** Whether anything is asked of the invocation of that id. */
  knows(id: string): boolean {
    return this.#directives.find(id) !== undefined
  }

  /** What follows from an order other than `call` or `wait` for a record in hand. */
  carryOut(order: Exclude<Order, 'call' | 'wait'>, { call, delivery }: Job): Ended {
    const { directive } = this.#directives.find(call.id) as Asked
    const stamp = { atMs: this.#options.clock.now(), listener: this.#options.name }
    if (order === 'cancel') return this.#conclude(call, cancelEffects(call, delivery.record.value, stamp))
    if (order === 'move')
      return this.#conclude(call, { state: 'deferred', effects: moveEffects(call, directive, stamp) })
    if ((order === 'pause' || order === 'resume') && isTick(call))
      return this.#conclude(call, steerTick(call, order, stamp))
    const after = directive.isDone ? this.#withoutRecord(directive, call) : directive
    return { state: 'superseded', effects: after === directive ? {} : { control: [controlRecord(after)] } }
  }

  /** What follows from an attempt that was cancelled while it ran: that, and that what was asked is done. */
  endCancelled(call: Call, ending: Ending): Ended {
    const directive = this.#directives.find(call.id)?.directive
    // That of a later generation has more to end than this.
    const isEnded = directive?.isDone === false && directive.generation === call.generation
    return isEnded ? this.#conclude(call, ending) : ending
  }

  /** `ended`, written together with that the directive is done. Until it is written what else comes of the invocation waits. */
  #conclude(call: Call, ended: Ended): Ended {
    const asked = this.#directives.find(call.id) as Asked
    const after = done(this.#withoutRecord(asked.directive, call))
    asked.isBusy = true
    const onCompleted = (how: Completed): void => {
      asked.isBusy = false
      if (how === 'done') this.#directives.note(after)
    }
    return { ...ended, effects: { ...ended.effects, control: [controlRecord(after)] }, onCompleted }
  }

  #withoutRecord(directive: Directive, call: Call): Directive {
    const { clock, timeoutMs } = this.#options
    return withoutRecord(directive, call.timeoutMs ?? timeoutMs, clock.now())
  }

  #read(records: readonly StoredRecord[]): void {
    for (const record of records) {
      try {
        this.#directives.read(record)
      } catch (error) {
        this.#options.log.error({ err: error, id: record.key }, 'what was asked of an invocation cannot be read')
      }
    }
    if (this.isCurrent && (records.length > 0 || this.#directives.open.size > 0)) this.#acts.look()
  }

  async #tidy(): Promise<void> {
    if (!this.isCurrent) return
    const isLate = this.#options.clock.now() >= this.#forgetMs
    const records = this.#directives.buried(TIDY_SOME).map(controlRecord)
    if (isLate) records.push(...this.#directives.forgetSome(TIDY_SOME).map(emptyRecord))
    if (records.length === 0) return
    await this.#options.control.append('control', records).catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'what is asked of invocations cannot be put in order now')
    })
  }
}
