import { type Clock, peekOrigin } from '@posthaste/core'
import type { Delivery } from '@posthaste/stream'
import type { AwakeTime } from './awake-time.js'
import type { Control } from './control.js'
import type { InHand } from './in-hand.js'
import { type Job, timerFor } from './job.js'
import type { Target } from './target.js'
import type { Targets } from './targets.js'

export interface SpillerOptions {
  readonly clock: Clock
  readonly control: Control
  readonly inHand: InHand
  readonly targets: Targets<Job>
  /** By which targets are judged. */
  readonly time: AwakeTime
}

/** Moves aside what cannot start soon: it comes back in its turn, or when its target may have recovered. */
export class Spiller {
  readonly #options: SpillerOptions

  constructor(options: SpillerOptions) {
    this.#options = options
  }

  /** Whether one more call must not wait for a target here. */
  isFull(target: Target<Job>): boolean {
    const { inHand, targets, time } = this.#options
    // What is hopeless must never be all that waits.
    return targets.waitsTooLong(target, inHand.isCrowded(targets.waitingCount), time.nowMs)
  }

  spill(job: Job, target: Target<Job>): void {
    this.#options.inHand.complete(job.delivery, {
      state: 'spilled',
      effects: { aside: true, timers: [timerFor(job, this.#returnMs(target))] },
    })
  }

  /** What waits for a stuck target is not worth reading each time that it comes by: there may be very much of it. */
  spillUnread(delivery: Delivery): boolean {
    const { control, inHand, targets, time } = this.#options
    const { key, value } = delivery.record
    // What names no turn must be read for that: another producer wrote it. So must what has ended: it has consequences.
    const origin = delivery.ended || key === '' ? undefined : peekOrigin(value)
    const target = origin === undefined ? undefined : targets.known(origin)
    if (!target || targets.canBegin(target, time.nowMs) || !this.isFull(target)) return false
    // It may be another's to move, or something may have been asked.
    if (!delivery.held() || !control.isCurrent || control.knows(key)) return false
    const timer = { ...delivery.record, dueMs: this.#returnMs(target) }
    inHand.complete(delivery, { state: 'spilled', effects: { aside: true, timers: [timer] } })
    return true
  }

  /** Spills what has come to wait too long, last come first, until the rest does not. */
  spillLate(): void {
    const { targets, time } = this.#options
    for (const target of targets.waiting()) {
      const late: Job[] = []
      while (target.waitingCount > 0 && this.isFull(target)) late.push(targets.takeLast(target, time.nowMs))
      for (const job of late.reverse()) this.spill(job, target)
    }
  }

  /** When to bring back a call that is moved aside, in milliseconds since the Unix epoch. */
  #returnMs(target: Target<Job>): number {
    const { clock, targets, time } = this.#options
    return clock.now() + targets.awayMs(target, time.nowMs)
  }
}
