/**
 * The time by which targets are judged, in milliseconds. It stands still while this process does: what nobody here was
 * awake to hear is not the target's silence.
 */
export class AwakeTime {
  readonly #stepMsMax: number
  #nowMs = 0
  #advancedMs = performance.now()

  /** It goes on by `stepMsMax` at most each time that it is advanced. */
  constructor(stepMsMax: number) {
    this.#stepMsMax = stepMsMax
  }

  /** As of when it was advanced last. */
  get nowMs(): number {
    return this.#nowMs
  }

  advance(): void {
    const nowMs = performance.now()
    this.#nowMs += Math.min(nowMs - this.#advancedMs, this.#stepMsMax)
    this.#advancedMs = nowMs
  }
}
