/** A time by which targets are judged, in milliseconds. */
export interface TargetTime {
  /** As of when it was advanced last. */
  readonly nowMs: number
  /** Goes on to now, or stands still. Called all the time. */
  advance(standsStill: boolean): void
}

/**
 * The time by which targets are judged, in milliseconds. It stands still while this process does, or may call nobody:
 * what nobody here was awake to hear, or could ask for, is not the target's silence.
 */
export class AwakeTime implements TargetTime {
  readonly #stepMsMax: number
  #nowMs = 0
  #advancedMs = performance.now()
  #stoodStill = false

  /** It goes on by `stepMsMax` at most each time that it is advanced. */
  constructor(stepMsMax: number) {
    this.#stepMsMax = stepMsMax
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Goes on by what has passed since the last time, unless it stands still now, or did then. */
  advance(standsStill: boolean): void {
    const nowMs = performance.now()
    if (!standsStill && !this.#stoodStill) this.#nowMs += Math.min(nowMs - this.#advancedMs, this.#stepMsMax)
    this.#advancedMs = nowMs
    this.#stoodStill = standsStill
  }
}
