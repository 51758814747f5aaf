import { EgressPolicy } from '@posthaste/core'
import type { Delivery } from '@posthaste/stream'
import { AwakeTime, type TargetTime } from './awake-time.js'
import { Control } from './control.js'
import { InHand } from './in-hand.js'
import { Intake } from './intake.js'
import type { Job } from './job.js'
import type { ListenerOptions } from './listener-options.js'
import { Placement } from './placement.js'
import { RunningCalls } from './running-calls.js'
import { Spiller } from './spiller.js'
import type { Tally } from './tally.js'
import { type OpenBreaker, type Targets, targetsOf } from './targets.js'

const SWEEP_MS = 50
const STOP_WRITE_MS = 5_000
const NOTHING_OPEN = new Map<string, unknown>()

/**
 * Takes deliveries and sees each to its end: decides what is to be done with it, calls when its target has a place, and
 * completes it with what follows. Keeps every target to its share and moves aside what cannot start soon, so that none
 * holds up the others or the checkpoint.
 */
export class Dispatcher {
  readonly #inHand: InHand
  readonly #control: Control
  readonly #intake: Intake
  readonly #running: RunningCalls
  readonly #targets: Targets<Job>
  readonly #spiller: Spiller
  readonly #placement: Placement
  readonly #time: TargetTime
  #sweeper: NodeJS.Timeout | undefined
  #stopping = false

  constructor(options: ListenerOptions) {
    this.#inHand = new InHand(options.log, () => this.#catchUp())
    this.#time = options.time ?? new AwakeTime(2 * SWEEP_MS)
    const { egress = new EgressPolicy() } = options
    this.#targets = targetsOf({ ...options, egress })
    this.#control = new Control({
      ...options,
      settle: (open) => this.#placement.settle(open),
      tally: () => this.#inHand.tally,
      onCaughtUp: () => this.#catchUp(),
    })
    const parts = {
      ...options,
      egress,
      control: this.#control,
      inHand: this.#inHand,
      targets: this.#targets,
      time: this.#time,
    }
    this.#spiller = new Spiller(parts)
    this.#running = new RunningCalls(options, this.#inHand, this.#control)
    this.#placement = new Placement({ ...parts, running: this.#running, spiller: this.#spiller })
    this.#intake = new Intake({
      ...parts,
      spillUnread: (delivery) => this.#spiller.spillUnread(delivery),
      place: (job) => this.#placement.place(job),
      holds: (call) => this.#placement.holds(call),
    })
  }

  get tally(): Readonly<Tally> {
    return this.#inHand.tally
  }

  /** Those of targets that are not called but for probes. */
  get openBreakers(): readonly OpenBreaker[] {
    return this.#targets.openBreakers(this.#time.nowMs)
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
    return this.#inHand.room(this.#placement.waitingCount + this.#intake.waitingCount)
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
    this.#placement.stop()
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

  /** Looks after what time alone changes: waits grown too long, calls that go on, connections no longer used. */
  #sweep(): void {
    this.#time.advance(!this.#placement.mayStart)
    this.#spiller.spillLate()
    this.#placement.startNext()
    this.#placement.sortPaused()
    this.#intake.takeWaiting()
    this.#running.sweep()
    this.#targets.sweep(this.#time.nowMs)
  }

  /** What may be called again: what is asked of it meanwhile comes first. */
  #catchUp(): void {
    this.#placement.settle(NOTHING_OPEN)
    this.#intake.takeWaiting()
    this.#placement.startNext()
  }
}
