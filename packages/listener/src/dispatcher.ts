import { type Outcome, originOf, peekOrigin } from '@posthaste/core'
import type { Begun, Delivery } from '@posthaste/stream'
import { admit, endIfExpired, type Readable, turnOfAdmitted } from './admission.js'
import { AwakeTime } from './awake-time.js'
import { effectsAgain } from './effects.js'
import { isUnmade, NO_DESCRIPTOR, type Unmade } from './exchange.js'
import { InHand } from './in-hand.js'
import { type Job, jobOf, timerFor } from './job.js'
import type { ListenerOptions } from './listener-options.js'
import { RunningCalls } from './running-calls.js'
import { Shortage } from './shortage.js'
import type { Tally } from './tally.js'
import type { CallEnd, Target } from './target.js'
import { Targets } from './targets.js'

const SWEEP_MS = 50
const STOP_WRITE_MS = 5_000

/**
 * Takes deliveries and sees each to its end: decides what it is, calls when its target has a place, and completes it
 * with what follows. Keeps every target to its share and moves aside what cannot start soon, so that none holds up
 * the others or the checkpoint.
 */
export class Dispatcher {
  readonly #options: ListenerOptions
  readonly #inHand: InHand
  readonly #running: RunningCalls
  readonly #targets: Targets<Job>
  readonly #shortage: Shortage
  readonly #time = new AwakeTime(2 * SWEEP_MS)
  /**
   * Jobs that may be in other hands, or that could not be made or recorded now: until that is over they are neither
   * called nor let go.
   */
  readonly #paused: Job[] = []
  #sweeper: NodeJS.Timeout | undefined
  #stopping = false
  #blocked: string | undefined

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#inHand = new InHand(options.log, () => this.#catchUp())
    this.#running = new RunningCalls(options, this.#inHand)
    this.#shortage = new Shortage(options.log)
    this.#targets = new Targets(options.concurrency, options.concurrencyPerTarget)
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
    return this.#blocked
  }

  /** How much more it takes. Nothing while either number is zero. */
  get room(): { readonly records: number; readonly bytes: number } {
    return this.#inHand.room(this.#targets.waitingCount + this.#paused.length)
  }

  /** Whether everything it took is completed, or checked out. */
  get isIdle(): boolean {
    return this.#inHand.isEmpty
  }

  /** Resolves when something was completed, or after `timeoutMs`. */
  change(timeoutMs: number): Promise<void> {
    return this.#inHand.change(timeoutMs)
  }

  take(deliveries: readonly Delivery[]): void {
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS)
    for (const delivery of deliveries) {
      this.#inHand.take(delivery)
      this.#admit(delivery)
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
    while (this.#running.count > 0 && performance.now() < untilMs) await this.change(untilMs - performance.now())
    this.#running.giveUp()
    // What the stream cannot record now is called again later: better than never to stop.
    const giveUpMs = performance.now() + STOP_WRITE_MS
    while (!this.isIdle && performance.now() < giveUpMs) await this.change(SWEEP_MS)
    clearInterval(this.#sweeper)
    await this.#targets.close()
  }

  #admit(delivery: Delivery): void {
    if (this.#stopping || this.#blocked) {
      this.#inHand.release(delivery)
      return
    }
    if (this.#spillUnread(delivery)) return
    const admitted = admit(delivery.record, this.#options.recordBytesMax, this.#options.clock.now())
    if (admitted.kind === 'newer') {
      this.#block(delivery, admitted.reason)
      return
    }
    const begun = delivery.begin(turnOfAdmitted(delivery.record, admitted))
    if (begun === 'fresh') this.#handle(delivery, admitted)
    else void this.#handleKnown(delivery, admitted, begun).catch((error: unknown) => this.#giveUp(delivery, error))
  }

  #handle(delivery: Delivery, admitted: Readable): void {
    if (admitted.kind === 'call') this.#queue(jobOf(delivery, admitted.decoded))
    else if (admitted.kind === 'defer') this.#putOff(jobOf(delivery, admitted.decoded), admitted.dueMs, 'deferred')
    else this.#inHand.complete(delivery, admitted.ending)
  }

  /** A record of a turn that somebody may have recorded, or that came twice. */
  async #handleKnown(delivery: Delivery, admitted: Readable, begun: Begun | Promise<Begun>): Promise<void> {
    const known = await this.#inHand.lookUp(begun)
    if (this.#stopping || this.#blocked) this.#inHand.release(delivery)
    else if (known === 'fresh') this.#handle(delivery, admitted)
    else if (known === 'copy' || !admitted.decoded) this.#inHand.complete(delivery, { state: 'repeated', effects: {} })
    else this.#inHand.complete(delivery, { state: 'repeated', effects: effectsAgain(admitted.decoded.call, known) })
  }

  /** What waits for a stuck target is not worth reading each time that it comes by: there may be very much of it. */
  #spillUnread(delivery: Delivery): boolean {
    // What names no turn must be read for that: another producer wrote it. So must what has ended: it has consequences.
    const origin = delivery.ended || delivery.record.key === '' ? undefined : peekOrigin(delivery.record.value)
    const target = origin === undefined ? undefined : this.#targets.known(origin)
    if (!target || this.#targets.canBegin(target, this.#time.nowMs) || !this.#waitsTooLong(target)) return false
    // It may be another's to move.
    if (!delivery.held()) return false
    const timer = { ...delivery.record, dueMs: this.#returnMs(target) }
    this.#inHand.complete(delivery, { state: 'spilled', effects: { aside: true, timers: [timer] } })
    return true
  }

  #block(delivery: Delivery, reason: string): void {
    this.#blocked = reason
    this.#options.log.error({ code: 'record-version', offset: delivery.record.offset }, reason)
    this.#inHand.release(delivery)
  }

  /** It comes again when this member is gone, or no longer has it. */
  #giveUp(delivery: Delivery, error: unknown): void {
    this.#options.log.error({ err: error, offset: delivery.record.offset }, 'what is known of a record cannot be read')
    this.#inHand.release(delivery)
  }

  /** Whether a call that starts now could be made, and recorded. */
  get #mayStart(): boolean {
    return !this.#inHand.isBehind && !this.#shortage.lasts
  }

  #queue(job: Job): void {
    if (!job.delivery.held() || !this.#mayStart) {
      this.#pause(job)
      return
    }
    const nowMs = this.#time.nowMs
    const target = this.#targets.of(originOf(job.call.target), nowMs)
    if (target.waitingCount === 0 && this.#targets.begin(target, nowMs)) void this.#run(job, target)
    else if (this.#waitsTooLong(target)) this.#spill(job, target)
    else this.#targets.wait(target, job, nowMs)
  }

  #waitsTooLong(target: Target<Job>): boolean {
    // What is hopeless must never be all that waits.
    const isCrowded = this.#inHand.isCrowded(this.#targets.waitingCount)
    return this.#targets.waitsTooLong(target, isCrowded, this.#time.nowMs)
  }

  async #run(job: Job, target: Target<Job>): Promise<void> {
    const expired = endIfExpired(job.call, job.delivery.record, this.#options.clock)
    if (expired) {
      this.#targets.end(target, 'not made', this.#time.nowMs)
      this.#inHand.complete(job.delivery, expired)
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
        this.#queue(job)
        continue
      }
      this.#inHand.tally.lost += 1
      this.#inHand.release(job.delivery)
    }
  }

  /** Looks after what time alone changes: waits grown too long, calls that go on, connections no longer used. */
  #sweep(): void {
    this.#time.advance(!this.#mayStart)
    const { nowMs } = this.#time
    for (const target of this.#targets.waiting()) {
      const late: Job[] = []
      while (target.waitingCount > 0 && this.#waitsTooLong(target)) late.push(this.#targets.takeLast(target, nowMs))
      for (const job of late.reverse()) this.#spill(job, target)
    }
    this.#startNext()
    this.#sortPaused()
    this.#running.sweep()
    this.#targets.sweep(nowMs)
  }

  #spill(job: Job, target: Target<Job>): void {
    this.#putOff(job, this.#returnMs(target), 'spilled')
  }

  /** When to bring back a call that is moved aside, in milliseconds since the Unix epoch. */
  #returnMs(target: Target<Job>): number {
    return this.#options.clock.now() + this.#targets.awayMs(target, this.#time.nowMs)
  }

  #putOff(job: Job, dueMs: number, as: 'deferred' | 'spilled'): void {
    this.#inHand.complete(job.delivery, {
      state: as,
      effects: { aside: as === 'spilled', timers: [timerFor(job, dueMs)] },
    })
  }

  #catchUp(): void {
    this.#sortPaused()
    this.#startNext()
  }
}

function callEnd(outcome: Outcome | Unmade): CallEnd {
  return isUnmade(outcome) ? 'not made' : { answered: outcome.kind === 'answered', durationMs: outcome.durationMs }
}
