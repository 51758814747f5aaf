import { type Call, decideTick, type EgressPolicy, isTick, originOf, type TickCall } from '@posthaste/core'
import { admit, endExpired, endRefused } from './admission.js'
import type { TargetTime } from './awake-time.js'
import type { Control } from './control.js'
import { type Stamp, scheduledNote } from './effects.js'
import { callEnd, isUnmade, NO_DESCRIPTOR } from './exchange.js'
import type { InHand } from './in-hand.js'
import { isSameTurn, type Job, timerFor } from './job.js'
import type { ListenerOptions } from './listener-options.js'
import type { RunningCalls } from './running-calls.js'
import { Shortage } from './shortage.js'
import type { Spiller } from './spiller.js'
import type { Target } from './target.js'
import type { Targets } from './targets.js'
import { endTick } from './tick-effects.js'

export interface PlacementOptions
  extends Pick<ListenerOptions, 'clock' | 'functions' | 'log' | 'name' | 'recordBytesMax' | 'retry'> {
  readonly control: Control
  readonly egress: EgressPolicy
  readonly inHand: InHand
  readonly running: RunningCalls
  readonly spiller: Spiller
  readonly targets: Targets<Job>
  /** By which targets are judged. */
  readonly time: TargetTime
}

/** Decides what is done with a job now, and does it: calls when its target has a place, waits, puts off, or ends it. */
export class Placement {
  readonly #options: PlacementOptions
  readonly #shortage: Shortage
  /**
   * Jobs that may be in other hands, or that could not be made or recorded now, or of which it is not known what is asked:
   * until that is over they are neither called nor let go.
   */
  readonly #paused: Job[] = []
  #stopping = false

  constructor(options: PlacementOptions) {
    this.#options = options
    this.#shortage = new Shortage(options.log)
  }

  /** How many jobs wait: for their target, or for what they are paused for. */
  get waitingCount(): number {
    return this.#options.targets.waitingCount + this.#paused.length
  }

  /** Whether a call that starts now could be made, and recorded. */
  get mayStart(): boolean {
    const { control, inHand } = this.#options
    return !inHand.isBehind && !this.#shortage.lasts && control.isCurrent
  }

  place(job: Job): void {
    const { control, inHand } = this.#options
    const { call, delivery } = job
    const order = control.orderFor(call)
    if (order !== 'call') {
      if (order === 'wait') this.#pause(job)
      else inHand.complete(delivery, control.carryOut(order, job))
      return
    }
    if (isTick(call)) {
      this.#tick(job, call)
      return
    }
    const admission = admit(call, this.#options)
    if (admission.kind === 'call') this.#queue(job)
    else if (admission.kind === 'defer') this.#defer(job, admission.dueMs)
    else if (admission.kind === 'refuse') this.#refuse(job)
    // It may have been cancelled, or moved to a time of which it is not known here yet.
    else if (!job.delivery.held() || !control.isCurrent) this.#pause(job)
    else this.#expire(job)
  }

  /** Starts what waits and has a place now. */
  startNext(): void {
    if (this.#stopping || !this.mayStart) return
    const { targets, time } = this.#options
    for (let next = targets.next(time.nowMs); next; next = targets.next(time.nowMs)) {
      void this.#run(next.job, next.target)
    }
  }

  /** Looks again at what was paused. */
  sortPaused(): void {
    const { inHand } = this.#options
    for (const job of this.#paused.splice(0)) {
      if (!job.delivery.lost.aborted) {
        this.place(job)
        continue
      }
      inHand.tally.lost += 1
      inHand.release(job.delivery)
    }
  }

  /** Does what is asked of calls in hand, and tells of which of them anything is that nobody has done. */
  settle(open: ReadonlyMap<string, unknown>): ReadonlyMap<string, Call | undefined> {
    const { control, running, targets, time } = this.#options
    const asked = new Map<string, Call | undefined>()
    const isAsked = ({ call }: Job): boolean => {
      if (open.has(call.id)) asked.set(call.id, undefined)
      return control.orderFor(call) !== 'call'
    }
    for (const job of targets.takeIf(isAsked, time.nowMs)) this.place(job)
    this.sortPaused()
    this.#paused.forEach(isAsked)
    running.settle(open, asked)
    return asked
  }

  /** Whether a record of the turn of `call` is here. */
  holds(call: Call): boolean {
    const { running, targets } = this.#options
    const isIt = (job: Job): boolean => isSameTurn(job.call, call)
    return this.#paused.some(isIt) || running.some(isIt) || targets.someWaiting(isIt)
  }

  /** Starts nothing more, and lets go of all that waits. */
  stop(): void {
    this.#stopping = true
    const { inHand, targets, time } = this.#options
    for (const { delivery } of [...targets.clear(time.nowMs), ...this.#paused.splice(0)]) inHand.release(delivery)
  }

  /** Does what is due by a schedule. That takes neither a place nor a time. */
  #tick(job: Job, tick: TickCall): void {
    const { notBeforeMs = 0, schedule } = tick
    const stamp = this.#stamp
    if (notBeforeMs > stamp.atMs) this.#defer(job, notBeforeMs)
    else if (!job.delivery.held() || !this.mayStart) this.#pause(job)
    else this.#options.inHand.complete(job.delivery, endTick(tick, decideTick(schedule, stamp.atMs), stamp))
  }

  #queue(job: Job): void {
    if (!job.delivery.held() || !this.mayStart) {
      this.#pause(job)
      return
    }
    const { spiller, targets, time } = this.#options
    const target = targets.of(originOf(job.call.target), time.nowMs)
    if (target.waitingCount === 0 && targets.begin(target, time.nowMs)) void this.#run(job, target)
    else if (spiller.isFull(target)) spiller.spill(job, target)
    else targets.wait(target, job, time.nowMs)
  }

  async #run(job: Job, target: Target<Job>): Promise<void> {
    const { running, targets, time } = this.#options
    if (admit(job.call, this.#options).kind === 'expire') {
      targets.end(target, 'not made', time.nowMs)
      this.#expire(job)
      return
    }
    const started = running.start(job, target)
    const outcome = await started.exchange.outcome
    targets.end(target, callEnd(outcome), time.nowMs)
    if (outcome === NO_DESCRIPTOR) this.#shortage.note()
    this.startNext()
    running.end(started, outcome)
    if (isUnmade(outcome) && !started.checkedOut) this.#pause(started)
  }

  #pause(job: Job): void {
    if (this.#stopping) this.#options.inHand.release(job.delivery)
    else this.#paused.push(job)
  }

  #expire({ call, delivery }: Job): void {
    this.#options.inHand.complete(delivery, endExpired(call, delivery.record, this.#options, this.#stamp))
  }

  #refuse({ call, delivery }: Job): void {
    const { inHand, log } = this.#options
    log.warn({ id: call.id, target: originOf(call.target) }, 'a target may not be called')
    inHand.complete(delivery, endRefused(call, delivery.record, this.#options, this.#stamp))
  }

  #defer(job: Job, dueMs: number): void {
    const timer = timerFor(job, dueMs)
    // What came back from the timers was told of before.
    const isNews = dueMs > job.delivery.record.appendedAtMs
    const notes = isNews ? [scheduledNote(job.call, timer, this.#stamp)] : []
    this.#options.inHand.complete(job.delivery, { state: 'deferred', effects: { timers: [timer], notes } })
  }

  get #stamp(): Stamp {
    const { clock, name } = this.#options
    return { atMs: clock.now(), listener: name }
  }
}
