import type { Clock } from '@posthaste/core'
import type { TargetTime } from '@posthaste/listener'

/** A clock that stands still but for what a test moves it. */
export class ManualClock implements Clock {
  #nowMs: number

  constructor(nowMs: number) {
    this.#nowMs = nowMs
  }

  now(): number {
    return this.#nowMs
  }

  pass(ms: number): void {
    this.#nowMs += ms
  }

  /** The time by which targets are judged, if it is this one. */
  targetTime(): TargetTime {
    const startMs = this.#nowMs
    const elapsedMs = (): number => this.#nowMs - startMs
    return {
      // Not from 0: that is no time.
      get nowMs() {
        return elapsedMs() + 1
      },
      advance() {},
    }
  }
}
