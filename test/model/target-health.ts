import type { Behaviour } from './behaviour.js'

const PARK_MS_MIN = 30_000
const PARK_SHARE = 1 / 2
const JITTER_SHARE = 1 / 5
/** The calls before which it died took real time, which the clock of the test does not know. */
const SLACK_MS = 20_000
const DEAD = /^50[03]|^reset$|^timeout$/

/** From when to when a call that is put off now may come back. */
export interface Park {
  readonly fromMs: number
  readonly toMs: number
}

/** What was heard of a target, and so whether calls may be put off because it is dead. Times by the clock of the test. */
export class TargetHealth {
  /** It answers 503, whatever is asked. */
  isDown = false
  /** 0: nobody counts. */
  readonly #failuresMin: number
  #failedMs: number[] = []
  readonly #alive: number[] = []

  constructor(failuresMin: number) {
    this.#failuresMin = failuresMin
  }

  hear(behaviour: Behaviour, atMs: number): void {
    if (DEAD.test(behaviour)) this.#failedMs.push(atMs)
    else this.#alive.push(atMs)
  }

  /** Whoever calls from now on knows nothing of it. */
  forget(): void {
    this.#failedMs = []
  }

  /** For how long a call may be put off now; undefined if it may not be. */
  park(nowMs: number): Park | undefined {
    // Of what is heard in one moment it is not known what came first.
    const aliveMs = Math.max(...this.#alive.filter((ms) => ms < nowMs))
    const failedMs = this.#failedMs.filter((ms) => ms >= aliveMs)
    if (this.#failuresMin === 0 || failedMs.length < this.#failuresMin) return undefined
    const outageMs = nowMs - Math.min(...failedMs)
    const longestMs = Math.max(PARK_MS_MIN, outageMs * PARK_SHARE) * (1 + JITTER_SHARE)
    return { fromMs: nowMs + PARK_MS_MIN, toMs: nowMs + longestMs + SLACK_MS }
  }
}
