import type { Log } from '@posthaste/core'
import { NO_DESCRIPTOR } from './exchange.js'

/** For how long no call starts after one for which there was no file descriptor. */
const PAUSE_MS = 200
const SAY_AGAIN_MS = 10_000

/**
 * That no file descriptor is left for another connection. It says nothing of the targets, so all calls wait, and the
 * time by which targets are judged stands still: this counts by another.
 */
export class Shortage {
  readonly #log: Log
  /** 0 before the first. */
  #untilMs = 0
  #sayAgainMs = 0

  constructor(log: Log) {
    this.#log = log
  }

  note(): void {
    const nowMs = performance.now()
    this.#untilMs = nowMs + PAUSE_MS
    if (nowMs < this.#sayAgainMs) return
    this.#sayAgainMs = nowMs + SAY_AGAIN_MS
    this.#log.warn({ code: NO_DESCRIPTOR }, 'no file descriptor is left to connect with; calls wait for one')
  }

  /** Whether there would hardly be a descriptor for a call yet. */
  get lasts(): boolean {
    return this.#untilMs > 0 && performance.now() < this.#untilMs
  }
}
