import { type Call, decideAdmission, originOf } from '@posthaste/core'
import type { Delivery } from '@posthaste/stream'
import { endExpired, isExpired } from './admission.js'
import { AwakeTime } from './awake-time.js'
import { Control } from './control.js'
import { type Stamp, scheduledNote } from './effects.js'
import { callEnd, isUnmade, NO_DESCRIPTOR } from './exchange.js'
import { InHand } from './in-hand.js'
import { Intake } from './intake.js'
import { isSameTurn, type Job, timerFor } from './job.js'
import type { ListenerOptions } from './listener-options.js'
import { RunningCalls } from './running-calls.js'
import { Shortage } from './shortage.js'
import { Spiller } from './spiller.js'
import type { Tally } from './tally.js'
import type { Target } from './target.js'
import { Targets } from './targets.js'

const SWEEP_MS = 50
const STOP_WRITE_MS = 5_000
const NOTHING_OPEN = new Map<string, unknown>()

/**
 * Takes deliveries and sees each to its end: decides what is to be done with it, calls when its target has a place, and
 * completes it with what follows. Keeps every target to its share and moves aside what cannot start soon, so that none
 * holds up the others or the checkpoint.
 */
export class Dispatcher {
  readonly #options: ListenerOptions
  readonly #inHand: InHand
  readonly #control: Control
  readonly #intake: Intake
  readonly #running: RunningCalls
  readonly #targets: Targets<Job>
  readonly #spiller: Spiller
  readonly #shortage: Shortage
  readonly #time = new AwakeTime(2 * SWEEP_MS)
  /**
   * Jobs that may be in other hands, or that could not be made or recorded now, or of which it is not known what is asked:
   * until that is over they are neither called nor let go.
   */
  readonly #paused: Job[] = []
  #sweeper: NodeJS.Timeout | undefined
  #stopping = false

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#inHand = new InHand(options.log, () => this.#catchUp())
    this.#targets = new Targets(options.concurrency, options.concurrencyPerTarget)
    this.#shortage = new Shortage(options.log)
    this.#control = new Control({
      ...options,
      settle: (open) => this.#settle(open),
      tally: () => this.#inHand.tally,
      onCaughtUp: () => this.#catchUp(),
    })
    const { clock } = options
    const parts = { control: this.#control, inHand: this.#inHand }
    this.#spiller = new Spiller({ ...parts, clock, targets: this.#targets, time: this.#time })
    this.#running = new RunningCalls(options, this.#inHand, this.#control)
    this.#intake = new Intake({
      ...options,
      ...parts,
      spillUnread: (delivery) => this.#spiller.spillUnread(delivery),
      place: (job) => this.#place(job),
      holds: (call) => this.#holds(call),
    })
  }

  get tally(): Readonly<Tally> {
    return this.#inHand.tally
  }

  /** Starts counting anew. */
  resetTally(): void {
    this.#inHand.resetTally()
  }

  /** Why nothing more may be pulled; undefined while all is well. */
  get blocked(): string | undefined {
    return this.#intake.blocked ?? this.#control.failure
  }

  /** How much more it takes. Nothing while either number is zero. */
  get room(): { readonly records: number; readonly bytes: number } {
    return this.#inHand.room(this.#targets.waitingCount + this.#paused.length + this.#intake.waitingCount)
  }

  /** Whether everything it took is completed, or checked out. */
  get isIdle(): boolean {
    return this.#inHand.isEmpty
  }

  /** Whether what was asked of invocations is known and done, as far as it can be done here. */
  get isSettled(): boolean {
    return this.#control.isSettled
  }

  /** Resolves when something was completed, or after `timeoutMs`. */
  change(timeoutMs: number): Promise<void> {
    return this.#inHand.change(timeoutMs)
  }

  /** Begins to follow what is asked of invocations. Idempotent. */
  start(): void {
    if (!this.#stopping) this.#control.start()
  }

  take(deliveries: readonly Delivery[]): void {
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS)
    for (const delivery of deliveries) {
      this.#inHand.take(delivery)
      this.#intake.take(delivery)
    }
  }

  /**
   * Starts nothing more, lets running calls end for `graceMs`, then gives them up: they are made again by whoever
   * comes next.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    const untilMs = performance.now() + graceMs
    const waiting = [...this.#targets.clear(this.#time.nowMs), ...this.#paused.splice(0)]
    for (const { delivery } of waiting) this.#inHand.release(delivery)
    this.#intake.stop()
    while (this.#running.count > 0 && performance.now() < untilMs) await this.change(untilMs - performance.now())
    this.#running.giveUp()
    // What the stream cannot record now is called again later: better than never to stop.
    const giveUpMs = performance.now() + STOP_WRITE_MS
    while (!this.isIdle && performance.now() < giveUpMs) await this.change(SWEEP_MS)
    clearInterval(this.#sweeper)
    await this.#control.stop()
    await this.#targets.close()
  }

  /** Decides what is to be done with a job now. */
  #place(job: Job): void {
    const { call, delivery } = job
    const order = this.#control.orderFor(call)
    if (order !== 'call') {
      if (order === 'wait') this.#pause(job)
      else this.#inHand.complete(delivery, this.#control.carryOut(order, job))
      return
    }
    const admission = decideAdmission(call, this.#options.clock.now())
    if (admission.kind === 'call') this.#queue(job)
    else if (admission.kind === 'expire') this.#expire(job)
    else this.#defer(job, admission.dueMs)
  }

  #expire({ call, delivery }: Job): void {
    this.#inHand.complete(delivery, endExpired(call, delivery.record, this.#stamp))
  }

  /** Whether a call that starts now could be made, and recorded. */
  get #mayStart(): boolean {
    return !this.#inHand.isBehind && !this.#shortage.lasts && this.#control.isCurrent
  }

  #queue(job: Job): void {
    if (!job.delivery.held() || !this.#mayStart) {
      this.#pause(job)
      return
    }
    const nowMs = this.#time.nowMs
    const target = this.#targets.of(originOf(job.call.target), nowMs)
    if (target.waitingCount === 0 && this.#targets.begin(target, nowMs)) void this.#run(job, target)
    else if (this.#spiller.isFull(target)) this.#spiller.spill(job, target)
    else this.#targets.wait(target, job, nowMs)
  }

  async #run(job: Job, target: Target<Job>): Promise<void> {
    if (isExpired(job.call, this.#options.clock)) {
      this.#targets.end(target, 'not made', this.#time.nowMs)
      this.#expire(job)
      return
    }
    const running = this.#running.start(job, target.pool)
    const outcome = await running.exchange.outcome
    this.#targets.end(target, callEnd(outcome), this.#time.nowMs)
    if (outcome === NO_DESCRIPTOR) this.#shortage.note()
    this.#startNext()
    this.#running.end(running, outcome)
    if (isUnmade(outcome) && !running.checkedOut) this.#pause(running)
  }

  #pause(job: Job): void {
    if (this.#stopping) this.#inHand.release(job.delivery)
    else this.#paused.push(job)
  }

  #startNext(): void {
    if (this.#stopping || !this.#mayStart) return
    for (let next = this.#targets.next(this.#time.nowMs); next; next = this.#targets.next(this.#time.nowMs)) {
      void this.#run(next.job, next.target)
    }
  }

  #sortPaused(): void {
    for (const job of this.#paused.splice(0)) {
      if (!job.delivery.lost.aborted) {
        this.#place(job)
        continue
      }
      this.#inHand.tally.lost += 1
      this.#inHand.release(job.delivery)
    }
  }

  /** Does what is asked of calls in hand, and tells of which of them anything is that nobody has done. */
  #settle(open: ReadonlyMap<string, unknown>): ReadonlyMap<string, Call | undefined> {
    const asked = new Map<string, Call | undefined>()
    const isAsked = ({ call }: Job): boolean => {
      if (open.has(call.id)) asked.set(call.id, undefined)
      return this.#control.orderFor(call) !== 'call'
    }
    for (const job of this.#targets.takeIf(isAsked, this.#time.nowMs)) this.#place(job)
    this.#sortPaused()
    this.#paused.forEach(isAsked)
    this.#running.settle(open, asked)
    return asked
  }

  /** Looks after what time alone changes: waits grown too long, calls that go on, connections no longer used. */
  #sweep(): void {
    this.#time.advance(!this.#mayStart)
    this.#spiller.spillLate()
    this.#startNext()
    this.#sortPaused()
    this.#intake.takeWaiting()
    this.#running.sweep()
    this.#targets.sweep(this.#time.nowMs)
  }

  #defer(job: Job, dueMs: number): void {
    const timer = timerFor(job, dueMs)
    // What came back from the timers was told of before.
    const isNews = dueMs > job.delivery.record.appendedAtMs
    const notes = isNews ? [scheduledNote(job.call, timer, this.#stamp)] : []
    this.#inHand.complete(job.delivery, { state: 'deferred', effects: { timers: [timer], notes } })
  }

  #catchUp(): void {
    this.#settle(NOTHING_OPEN)
    this.#intake.takeWaiting()
    this.#startNext()
  }

  /** Whether a record of the turn of `call` is in hand. */
  #holds(call: Call): boolean {
    const isIt = (job: Job): boolean => isSameTurn(job.call, call)
    return this.#paused.some(isIt) || this.#running.some(isIt) || this.#targets.someWaiting(isIt)
  }

  get #stamp(): Stamp {
    return { atMs: this.#options.clock.now(), listener: this.#options.name }
  }
}
