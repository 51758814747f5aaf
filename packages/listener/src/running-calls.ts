import {
  type Call,
  expiryMsOf,
  type Outcome,
  originOf,
  redactedOutcome,
  resolveFunction,
  ruleFor,
  unknownFunction,
  withFunction,
} from '@posthaste/core'
import { AttemptLog } from './attempt-log.js'
import { Bag, type Bagged } from './bag.js'
import { functionsNow, policyFor } from './call-terms.js'
import type { Control } from './control.js'
import { countedAttempt } from './counted-attempt.js'
import { endAttempt, runningNote, type Stamp } from './effects.js'
import { Exchange, isUnmade, type Unmade } from './exchange.js'
import type { InHand } from './in-hand.js'
import { type Job, timerFor } from './job.js'
import type { ListenerOptions } from './listener-options.js'
import { Pace } from './pace.js'
import { requestOf } from './request.js'
import type { Target } from './target.js'

/** A call that has run for this long no longer holds up the checkpoint. */
const CHECK_OUT_AFTER_MS = 10_000
/** How long after its deadline a call that was checked out counts as lost. */
const CHECK_OUT_MARGIN_MS = 5_000
/** Of what is read of all responses beyond what is kept: a few percent of a processor. */
const DISCARD_BYTES_PER_S = 64 * 1024 * 1024

export interface RunningCall extends Job, Bagged {
  readonly exchange: Exchange
  /** By `performance.now()`. */
  readonly startedMs: number
  readonly startedAtMs: number
  readonly timeoutMs: number
  /** Where it went: of a function, where that was. */
  readonly url: string
  checkedOut: boolean
}

/** The calls that run now: starts them, lets those that go on for long hold nothing up, and records how they ended. */
export class RunningCalls {
  readonly #options: ListenerOptions
  readonly #inHand: InHand
  readonly #control: Control
  readonly #attemptLog: AttemptLog
  readonly #discardPace = new Pace(DISCARD_BYTES_PER_S)
  readonly #running = new Bag<RunningCall>()

  constructor(options: ListenerOptions, inHand: InHand, control: Control) {
    this.#options = options
    this.#inHand = inHand
    this.#control = control
    this.#attemptLog = new AttemptLog(options.log, options.logAttempts)
  }

  get count(): number {
    return this.#running.size
  }

  some(isIt: (running: RunningCall) => boolean): boolean {
    return this.#running.all().some(isIt)
  }

  /** Whoever starts it waits for the outcome of its exchange, and ends it then. */
  start({ call, delivery, settled }: Job, target: Target<Job>): RunningCall {
    const { clock, responseBytesMax, targetRules = [] } = this.#options
    const functions = functionsNow(this.#options)
    const { timeoutMs = this.#options.timeoutMs } = withFunction(call, functions)
    const sent = resolveFunction(call, functions)
    const startedAtMs = clock.now()
    const exchange = new Exchange({
      held: () => delivery.held() && this.#control.allows(call),
      timeoutMs,
      responseBytesMax,
      discardPace: this.#discardPace,
      nowMs: startedAtMs,
    })
    const startedMs = performance.now()
    const running: RunningCall = {
      call,
      delivery,
      settled,
      exchange,
      startedMs,
      startedAtMs,
      timeoutMs,
      url: sent?.target ?? call.target,
      checkedOut: false,
      slot: -1,
    }
    this.#running.add(running)
    if (!sent) {
      exchange.refuse(unknownFunction())
      return running
    }
    const untilMs = expiryMsOf(call, policyFor(call, this.#options).maxAgeMs)
    const remainingMs = Math.min(timeoutMs, untilMs - startedAtMs)
    const keys = ruleFor(targetRules, 'sign', sent.target)
    const request = requestOf(sent, { remainingMs, atMs: startedAtMs, keys })
    exchange.start(target.poolOf(originOf(sent.target)), request)
    return running
  }

  /** Records how a call has ended. One that was not made is left to whoever started it, unless it was checked out. */
  end(running: RunningCall, outcome: Outcome | Unmade): void {
    this.#running.remove(running)
    if (!isUnmade(outcome)) this.#record(running, outcome)
    else if (running.checkedOut) this.#handBack(running)
  }

  /** Stops those that were cancelled, and adds to `asked` those of which anything is. */
  settle(open: ReadonlyMap<string, unknown>, asked: Map<string, Call | undefined>): void {
    for (const { call, exchange } of this.#running.all()) {
      if (open.has(call.id)) asked.set(call.id, call)
      if (this.#control.isCancelled(call)) exchange.cancel()
    }
  }

  /** Looks after calls that go on: those that hold something up, and those that are another member's by now. */
  sweep(): void {
    for (const running of this.#running.all()) {
      if (!running.checkedOut && (running.delivery.leaving || isLong(running))) this.#checkOut(running)
      if (running.delivery.lost.aborted) running.exchange.abort()
    }
  }

  /** Gives up all that run: they end as not made. */
  giveUp(): void {
    for (const { exchange } of this.#running.all()) exchange.abort()
  }

  #record({ call, checkedOut, delivery, url }: RunningCall, told: Outcome): void {
    this.#inHand.tally.called += 1
    // Before anything is made of it.
    const outcome = redactedOutcome(told, this.#options.targetRules ?? [], url)
    const ending = endAttempt(call, delivery.record, outcome, this.#options, this.#stamp, Math.random())
    this.#attemptLog.write(call, outcome, ending)
    this.#options.onAttempt?.(countedAttempt(call, outcome, ending))
    const ended = ending.state === 'cancelled' ? this.#control.endCancelled(call, ending) : ending
    if (checkedOut) void this.#inHand.completeCheckedOut(delivery, ended)
    else this.#inHand.complete(delivery, ended)
  }

  /** It comes back at once instead of at its deadline. */
  #handBack(running: RunningCall): void {
    void this.#inHand.handBack(running.delivery, timerFor(running, this.#options.clock.now()))
  }

  #checkOut(running: RunningCall): void {
    running.checkedOut = true
    const leftMs = running.startedMs + running.timeoutMs - performance.now()
    const dueMs = this.#options.clock.now() + leftMs + CHECK_OUT_MARGIN_MS
    const note = runningNote(running.call, running.startedAtMs, this.#stamp)
    void this.#inHand.checkOut(running.delivery, timerFor(running, dueMs), note)
  }

  get #stamp(): Stamp {
    return { atMs: this.#options.clock.now(), listener: this.#options.name }
  }
}

function isLong({ startedMs }: RunningCall): boolean {
  return performance.now() - startedMs > CHECK_OUT_AFTER_MS
}
