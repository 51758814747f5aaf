import { type DecodedCall, type Outcome, originOf, peekOrigin } from '@posthaste/core'
import type { Begun, Completed, Delivery, NewTimer, Turn } from '@posthaste/stream'
import { type Admitted, admit } from './admission.js'
import { AttemptLog } from './attempt-log.js'
import { Bag, type Bagged } from './bag.js'
import { type Ending, effectsAgain, endAttempt, timerOf, turnOf, unreadableId } from './effects.js'
import { Exchange, NOT_MADE } from './exchange.js'
import type { ListenerOptions } from './listener-options.js'
import { Pace } from './pace.js'
import { requestOf } from './request.js'
import { newTally, type Tally } from './tally.js'
import type { CallEnd, Target } from './target.js'
import { Targets } from './targets.js'

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
/** A call that would wait longer than this for its target is moved aside. */
const WAIT_MS_MAX = 2_000
/** What finds only places that are kept for others comes back after this time: there may be very many of its kind. */
const KEPT_OUT_MS = 10_000
/** A call that has run for this long no longer holds up the checkpoint. */
const CHECK_OUT_AFTER_MS = 10_000
/** How long after its deadline a call that was checked out counts as lost. */
const CHECK_OUT_MARGIN_MS = 5_000
/** Of what is read of all responses beyond what is kept: a few percent of a processor. */
const DISCARD_BYTES_PER_S = 64 * 1024 * 1024
const SWEEP_MS = 50
const STOP_WRITE_MS = 5_000

/** A call in the hands of the dispatcher. */
interface Job extends DecodedCall {
  readonly delivery: Delivery
}

type Readable = Exclude<Admitted, { kind: 'newer' }>

/** What became of a record. */
type Ended = Pick<Ending, 'effects'> & { readonly state: Ending['state'] | 'deferred' | 'spilled' | 'repeated' }

/** What was asked to be completed at one time. */
interface Completing {
  readonly completed: Promise<Completed>
  readonly all: { readonly delivery: Delivery; readonly ending: Ended }[]
}

interface Running extends Job, Bagged {
  readonly exchange: Exchange
  readonly startedMs: number
  readonly timeoutMs: number
  checkedOut: boolean
}

/**
 * Takes deliveries and sees each to its end: decides what it is, calls when its target has a place, and completes it
 * with what follows. Keeps every target to its share and moves aside what cannot start soon, so that none holds up
 * the others or the checkpoint.
 */
export class Dispatcher {
  readonly #options: ListenerOptions
  readonly #attemptLog: AttemptLog
  readonly #targets: Targets<Job>
  readonly #discardPace = new Pace(DISCARD_BYTES_PER_S)
  readonly #running = new Bag<Running>()
  /** Jobs that may be in other hands, or could not be recorded: until that is over they are neither called nor let go. */
  #unheld: Job[] = []
  #waitingMax = WAITING_MAX_FIRST
  #records = 0
  #bytes = 0
  #unrecorded = 0
  #tally = newTally()
  #completing: Completing | undefined
  readonly #changed = new Set<() => void>()
  #sweeper: NodeJS.Timeout | undefined
  /**
   * The time by which targets are judged. It stands still while this process does: what nobody here was awake to hear
   * is not the target's silence.
   */
  #timeMs = 0
  #sweptMs = performance.now()
  #stopping = false
  #blocked: string | undefined

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#attemptLog = new AttemptLog(options.log, options.logAttempts)
    this.#targets = new Targets(options.concurrency, options.concurrencyPerTarget)
  }

  get tally(): Readonly<Tally> {
    return this.#tally
  }

  /** Starts counting anew. */
  resetTally(): void {
    this.#tally = newTally()
  }

  /** Why nothing more may be pulled; undefined while all is well. */
  get blocked(): string | undefined {
    return this.#blocked
  }

  /** How much more it takes. Nothing while either number is zero. */
  get room(): { readonly records: number; readonly bytes: number } {
    const waiting = this.#targets.waitingCount + this.#unheld.length
    return {
      records:
        waiting >= WAITING_ENOUGH ? 0 : Math.max(0, Math.min(this.#waitingMax - waiting, RECORDS_MAX - this.#records)),
      bytes: Math.max(0, BYTES_MAX - this.#bytes),
    }
  }

  /** Whether everything it took is completed, or checked out. */
  get isIdle(): boolean {
    return this.#records === 0
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

  take(deliveries: readonly Delivery[]): void {
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS)
    for (const delivery of deliveries) {
      this.#tally.pulled += 1
      this.#records += 1
      this.#bytes += delivery.record.value.length
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
    for (const job of [...this.#targets.clear(this.#timeMs), ...this.#unheld.splice(0)]) this.#release(job.delivery)
    while (this.#running.size > 0 && performance.now() < untilMs) await this.change(untilMs - performance.now())
    for (const running of this.#running.all()) this.#handBack(running)
    // What the stream cannot record now is called again later: better than never to stop.
    const giveUpMs = performance.now() + STOP_WRITE_MS
    while (!this.isIdle && performance.now() < giveUpMs) await this.change(SWEEP_MS)
    clearInterval(this.#sweeper)
    await this.#targets.close()
  }

  #admit(delivery: Delivery): void {
    if (this.#stopping || this.#blocked) {
      this.#release(delivery)
      return
    }
    if (this.#spillUnread(delivery)) return
    const admitted = admit(delivery.record, this.#options.recordBytesMax, this.#options.clock.now())
    if (admitted.kind === 'newer') {
      this.#block(delivery, admitted.reason)
      return
    }
    const begun = delivery.begin(turnOfAdmitted(delivery, admitted))
    if (begun === 'fresh') this.#handle(delivery, admitted)
    else void this.#handleKnown(delivery, admitted, begun).catch((error: unknown) => this.#giveUp(delivery, error))
  }

  #handle(delivery: Delivery, admitted: Readable): void {
    if (admitted.kind === 'call') this.#queue(jobOf(delivery, admitted.decoded))
    else if (admitted.kind === 'defer') this.#putOff(jobOf(delivery, admitted.decoded), admitted.dueMs, 'deferred')
    else this.#complete(delivery, admitted.ending)
  }

  /** A record of a turn that somebody may have recorded, or that came twice. */
  async #handleKnown(delivery: Delivery, admitted: Readable, begun: Begun | Promise<Begun>): Promise<void> {
    const known = await begun
    if (this.#stopping || this.#blocked) this.#release(delivery)
    else if (known === 'fresh') this.#handle(delivery, admitted)
    else if (known === 'copy' || !admitted.decoded) this.#complete(delivery, { state: 'repeated', effects: {} })
    else this.#complete(delivery, { state: 'repeated', effects: effectsAgain(admitted.decoded.call, known) })
  }

  /** What waits for a stuck target is not worth reading each time that it comes by: there may be very much of it. */
  #spillUnread(delivery: Delivery): boolean {
    // What names no turn must be read for that: another producer wrote it.
    const origin = delivery.record.key === '' ? undefined : peekOrigin(delivery.record.value)
    const target = origin === undefined ? undefined : this.#targets.known(origin)
    if (!target || this.#canBegin(target) || !this.#waitsTooLong(target, this.#timeMs)) return false
    const timer = { ...delivery.record, dueMs: this.#returnMs(target) }
    this.#complete(delivery, { state: 'spilled', effects: { timers: [timer] } })
    return true
  }

  #block(delivery: Delivery, reason: string): void {
    this.#blocked = reason
    this.#options.log.error({ code: 'record-version', offset: delivery.record.offset }, reason)
    this.#release(delivery)
  }

  /** It comes again when this member is gone, or no longer has it. */
  #giveUp(delivery: Delivery, error: unknown): void {
    this.#options.log.error({ err: error, offset: delivery.record.offset }, 'what is known of a record cannot be read')
    this.#release(delivery)
  }

  /** Whether so many calls are not recorded yet that more of them would be made in vain. */
  get #isBehind(): boolean {
    return this.#unrecorded >= UNRECORDED_MAX
  }

  #queue(job: Job): void {
    if (!job.delivery.held() || this.#isBehind) {
      this.#unheld.push(job)
      return
    }
    const nowMs = this.#timeMs
    const target = this.#targets.of(originOf(job.call.target), nowMs)
    if (this.#canBegin(target) && this.#targets.begin(target, nowMs)) void this.#run(job, target)
    else if (this.#waitsTooLong(target, nowMs)) this.#spill(job, target)
    else this.#targets.wait(target, job, nowMs)
  }

  /** Whether a call could start at once: however slow the others are that run, it has a place. */
  #canBegin(target: Target<Job>): boolean {
    return target.waitingCount === 0 && this.#targets.canBegin(target, this.#timeMs)
  }

  /** Whether one more call must not wait for a target here: it would take long, or others need the room. */
  #waitsTooLong(target: Target<Job>, nowMs: number): boolean {
    // Well before so many wait that no more are pulled: what is hopeless must never be all that waits.
    const isCrowded = this.#targets.waitingCount > Math.min(this.#waitingMax, WAITING_ENOUGH) / 2
    const isHopeless = target.isStuck(nowMs) || this.#targets.keepsOut(target, nowMs)
    return (isCrowded && isHopeless) || target.expectedWaitMs(nowMs) > WAIT_MS_MAX
  }

  async #run(job: Job, target: Target<Job>): Promise<void> {
    const { call, delivery, settled } = job
    const { clock, responseBytesMax, retry } = this.#options
    const timeoutMs = call.timeoutMs ?? this.#options.timeoutMs
    const exchange = new Exchange({
      held: () => delivery.held(),
      timeoutMs,
      responseBytesMax,
      discardPace: this.#discardPace,
      nowMs: clock.now(),
    })
    const startedMs = performance.now()
    const running: Running = { call, delivery, settled, exchange, startedMs, timeoutMs, checkedOut: false, slot: -1 }
    this.#running.add(running)
    exchange.start(target.pool, requestOf(call))
    const outcome = await exchange.outcome
    this.#running.remove(running)
    this.#targets.end(target, callEnd(outcome), this.#timeMs)
    this.#startNext()
    if (outcome === NOT_MADE) {
      this.#keepUnmade(running)
      return
    }
    this.#tally.called += 1
    const ending = endAttempt(call, delivery.record, outcome, retry, clock.now(), Math.random())
    this.#attemptLog.write(call, outcome, ending)
    if (!running.checkedOut) {
      this.#complete(delivery, ending)
      return
    }
    this.#count(ending, await delivery.complete(ending.effects))
    this.#notify()
  }

  #keepUnmade(running: Running): void {
    if (running.checkedOut) this.#handBack(running)
    else if (this.#stopping) this.#release(running.delivery)
    else this.#unheld.push(running)
  }

  #startNext(): void {
    if (this.#stopping || this.#isBehind) return
    for (let next = this.#targets.next(this.#timeMs); next; next = this.#targets.next(this.#timeMs)) {
      void this.#run(next.job, next.target)
    }
  }

  #sortUnheld(): void {
    for (const job of this.#unheld.splice(0)) {
      if (!job.delivery.lost.aborted) {
        this.#queue(job)
        continue
      }
      this.#tally.lost += 1
      this.#release(job.delivery)
    }
  }

  /** Looks after what time alone changes: waits grown too long, calls that go on, connections no longer used. */
  #sweep(): void {
    const nowMs = this.#advanceTime()
    for (const target of this.#targets.waiting()) {
      const late: Job[] = []
      while (target.waitingCount > 0 && this.#waitsTooLong(target, nowMs))
        late.push(this.#targets.takeLast(target, nowMs))
      for (const job of late.reverse()) this.#spill(job, target)
    }
    this.#startNext()
    this.#sortUnheld()
    for (const running of this.#running.all()) {
      if (!running.checkedOut && performance.now() - running.startedMs > CHECK_OUT_AFTER_MS)
        void this.#checkOut(running)
      if (running.delivery.lost.aborted) running.exchange.abort(NOT_MADE)
    }
    this.#targets.sweep(nowMs)
  }

  #advanceTime(): number {
    const nowMs = performance.now()
    this.#timeMs += Math.min(nowMs - this.#sweptMs, 2 * SWEEP_MS)
    this.#sweptMs = nowMs
    return this.#timeMs
  }

  async #checkOut(running: Running): Promise<void> {
    running.checkedOut = true
    const leftMs = running.startedMs + running.timeoutMs - performance.now()
    this.#tally.checkedOut += 1
    await running.delivery.checkOut(timerFor(running, this.#options.clock.now() + leftMs + CHECK_OUT_MARGIN_MS))
    this.#release(running.delivery)
  }

  #spill(job: Job, target: Target<Job>): void {
    this.#putOff(job, this.#returnMs(target), 'spilled')
  }

  /** When to bring back a call that is moved aside, in milliseconds since the Unix epoch. */
  #returnMs(target: Target<Job>): number {
    const isKeptOut = this.#targets.keepsOut(target, this.#timeMs)
    const inMs = target.returnMs(this.#timeMs) - this.#timeMs
    return this.#options.clock.now() + (isKeptOut ? Math.max(inMs, KEPT_OUT_MS) : inMs)
  }

  #putOff(job: Job, dueMs: number, as: 'deferred' | 'spilled'): void {
    this.#complete(job.delivery, { state: as, effects: { timers: [timerFor(job, dueMs)] } })
  }

  /** A call that was checked out and is given up comes back at once instead of at its deadline. */
  #handBack({ call, checkedOut, delivery, exchange, settled }: Running): void {
    if (checkedOut) {
      const timer = timerFor({ call, delivery, settled }, this.#options.clock.now())
      void delivery.complete({ timers: [timer] }).then(() => this.#notify())
    }
    exchange.abort(NOT_MADE)
  }

  #complete(delivery: Delivery, ending: Ended): void {
    if (isEndOfCall(ending)) this.#unrecorded += 1
    const completed = delivery.complete(ending.effects)
    // Those that are written together may have one promise, and then need one that waits for it.
    if (completed !== this.#completing?.completed) this.#completing = this.#awaitCompletion(completed)
    this.#completing.all.push({ delivery, ending })
  }

  #awaitCompletion(completed: Promise<Completed>): Completing {
    const completing: Completing = { completed, all: [] }
    void completed.then(
      (how) => this.#completed(completing, how),
      (error: unknown) => {
        // Not for a while, but for good: it comes again when this member is gone.
        this.#options.log.error({ err: error }, 'what was called cannot be recorded')
        this.#completed(completing, 'lost')
      },
    )
    return completing
  }

  #completed(completing: Completing, how: Completed): void {
    if (this.#completing === completing) this.#completing = undefined
    const wasBehind = this.#isBehind
    for (const { delivery, ending } of completing.all) {
      if (isEndOfCall(ending)) this.#unrecorded -= 1
      this.#count(ending, how)
      this.#release(delivery)
    }
    if (!wasBehind) return
    this.#sortUnheld()
    this.#startNext()
  }

  #count(ending: Ended, completed: Completed): void {
    this.#tally[completed === 'done' ? ending.state : 'lost'] += 1
  }

  /** Lets go of a delivery, completed or not. */
  #release(delivery: Delivery): void {
    this.#records -= 1
    this.#waitingMax = Math.min(WAITING_MAX, this.#waitingMax + 1)
    this.#bytes -= delivery.record.value.length
    this.#notify()
  }

  #notify(): void {
    for (const wake of this.#changed) wake()
  }
}

/** What is moved aside was not called. */
function isEndOfCall({ state }: Ended): boolean {
  return state !== 'spilled' && state !== 'deferred' && state !== 'repeated'
}

function jobOf(delivery: Delivery, { call, settled }: DecodedCall): Job {
  return { call, delivery, settled }
}

/** The same attempt of the same call, at another time. */
function timerFor({ call, delivery, settled }: Job, dueMs: number): NewTimer {
  return timerOf(call, dueMs, settled ? delivery.record.value : undefined)
}

function turnOfAdmitted({ record }: Delivery, { decoded }: Readable): Turn {
  return decoded ? turnOf(decoded.call) : { key: unreadableId(record) }
}

function callEnd(outcome: Outcome | typeof NOT_MADE): CallEnd {
  return outcome === NOT_MADE ? 'not made' : { answered: outcome.kind === 'answered', durationMs: outcome.durationMs }
}
