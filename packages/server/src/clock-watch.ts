import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@posthaste/core'
import type { ClockSkew, Stream } from '@posthaste/stream'

const EVERY_MS = 60_000
/** As late as a deferred call may be without it. */
const APART_MS_MAX = 250

/** Compares the clock of this process with the stream's now and again, and tells when they are too far apart. */
export class ClockWatch {
  readonly #log: Log
  readonly #everyMs: number
  #skew: ClockSkew | undefined
  #isApart = false

  constructor(log: Log, everyMs = EVERY_MS) {
    this.#log = log
    this.#everyMs = everyMs
  }

  /** As it was when the stream last answered; undefined where there is nothing to compare with. */
  get skew(): ClockSkew | undefined {
    return this.#skew
  }

  /** Goes on until `signal`. */
  async run(stream: Pick<Stream, 'clockSkew'>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Not waited for: a stream that is silent holds up no stop.
      void this.#compare(stream, signal)
      await sleep(this.#everyMs, undefined, { signal }).catch(() => undefined)
    }
  }

  async #compare(stream: Pick<Stream, 'clockSkew'>, signal: AbortSignal): Promise<void> {
    try {
      const skew = await stream.clockSkew()
      if (signal.aborted || !skew) return
      this.#skew = skew
      this.#tell(skew)
    } catch (error) {
      if (!signal.aborted) this.#log.debug({ err: error }, 'the clocks cannot be compared')
    }
  }

  #tell(skew: ClockSkew): void {
    const { uncertaintyMs } = skew
    const apartMs = Math.abs(skew.aheadMs)
    if (!this.#isApart && apartMs - uncertaintyMs > APART_MS_MAX) {
      this.#isApart = true
      this.#log.warn(skew, 'clock-skew: deferred calls are early or late by so much; keep this clock in step with NTP')
    } else if (this.#isApart && apartMs + uncertaintyMs <= APART_MS_MAX) {
      this.#isApart = false
      this.#log.info(skew, 'clock-skew: this clock is in step again')
    }
  }
}
