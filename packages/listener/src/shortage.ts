import type { Log } from '@posthaste/core'

/** For how long no call starts after one for which there was no file descriptor. */
const PAUSE_MS = 200
const SAY_AGAIN_MS = 10_000

/**
 * That this process has no file descriptor left for another connection. It says nothing of the target, so what cannot
 * be made for that waits. Times in milliseconds, by the dispatcher's time.
 */
export class Shortage {
  readonly #log: Log
  #untilMs = 0
  #sayAgainMs = 0

  constructor(log: Log) {
    this.#log = log
  }

  note(nowMs: number): void {
    this.#untilMs = nowMs + PAUSE_MS
    if (nowMs < this.#sayAgainMs) return
    this.#sayAgainMs = nowMs + SAY_AGAIN_MS
    this.#log.warn({ code: 'EMFILE' }, 'no file descriptor is left to connect with; calls wait for one')
  }

  /** Whether there would hardly be a descriptor for a call yet. */
  lasts(nowMs: number): boolean {
    return nowMs < this.#untilMs
  }
}
