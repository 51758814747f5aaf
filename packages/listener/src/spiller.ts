import { expiryMsOf, peekExpiryMs, peekOrigin } from '@posthaste/core'
import type { Delivery, NewTimer } from '@posthaste/stream'
import type { TargetTime } from './awake-time.js'
import { policyFor } from './call-terms.js'
import type { Control } from './control.js'
import type { Ended, InHand } from './in-hand.js'
import { type Job, timerFor } from './job.js'
import type { ListenerOptions } from './listener-options.js'
import type { Target } from './target.js'
import type { Targets } from './targets.js'

export interface SpillerOptions extends Pick<ListenerOptions, 'clock' | 'functions' | 'retry'> {
  readonly control: Control
  readonly inHand: InHand
  readonly targets: Targets<Job>
  /** By which targets are judged. */
  readonly time: TargetTime
}

/**
 * Moves aside what cannot start soon: it comes back in its turn, or when its target may have recovered; what waits for a
 * target that is dead is parked, for longer. In any case it is back when its time runs out.
 */
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
    const { inHand } = this.#options
    const expiryMs = expiryMsOf(job.call, policyFor(job.call, this.#options).maxAgeMs)
    inHand.complete(job.delivery, aside(target, timerFor(job, this.#returnMs(target, expiryMs))))
  }

  /** What waits for a stuck target is not worth reading each time that it comes by: there may be very much of it. */
  spillUnread(delivery: Delivery): boolean {
    const { clock, control, inHand, targets, time } = this.#options
    const { key, value } = delivery.record
    // What names no turn must be read for that: another producer wrote it. So must what has ended: it has consequences.
    const origin = delivery.ended || key === '' ? undefined : peekOrigin(value)
    const target = origin === undefined ? undefined : targets.known(origin)
    if (!target || targets.canBegin(target, time.nowMs) || !this.isFull(target)) return false
    // It may be another's to move, or something may have been asked.
    if (!delivery.held() || !control.isCurrent || control.knows(key)) return false
    const { maxAgeMs } = policyFor({ target: target.origin }, this.#options)
    const expiryMs = peekExpiryMs(value, maxAgeMs, clock.now())
    if (expiryMs === undefined) return false
    inHand.complete(delivery, aside(target, { ...delivery.record, dueMs: this.#returnMs(target, expiryMs) }))
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
  #returnMs(target: Target<Job>, expiryMs: number): number {
    const { clock, targets, time } = this.#options
    return Math.min(clock.now() + targets.awayMs(target, time.nowMs, Math.random()), expiryMs)
  }
}

function aside(target: Target<Job>, timer: NewTimer): Ended {
  return { state: target.isDead ? 'parked' : 'spilled', effects: { aside: true, timers: [timer] } }
}
