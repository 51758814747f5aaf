import type { Outcome } from '@posthaste/core'

/** What a call's end says of its target: that it is alive, that it may be dead, or neither. */
export type Sign = 'alive' | 'dead' | 'none'

/** `half-open` is open while a probe runs. */
export type BreakerState = 'closed' | 'half-open' | 'open'

export type BreakerChange = 'opened' | 'closed'

/** With such an answer somebody speaks for a target that cannot. Whoever says anything else, 429 too, is there. */
const DEAD_STATUSES: readonly number[] = [500, 502, 503, 504]

/** Calls must have failed for this long, however many did: what fails for a moment is tried again soon, as always. */
const DEAD_MS_MIN = 2_000
/** What lies between failures that are further apart is not known: it is no outage. */
const APART_MS = 60_000
const PARK_MS_MIN = 30_000
const PARK_SHARE = 1 / 2
const JITTER_SHARE = 1 / 5
/** A probe uses an attempt: one call in so many may be one. */
const PARKED_PER_PROBE = 10
const PROBE_MS_MIN = 1_000
const PROBE_MS_MAX = 30_000
const PROBE_SHARE = 1 / 10
/** Where fewer come. */
const LONE_PROBE_SHARE = 1 / 2
/** A probe without end does not keep the next one waiting for longer. */
const PROBE_PATIENCE_MS = 30_000

export function signOf(outcome: Outcome): Sign {
  if (outcome.kind === 'answered') return DEAD_STATUSES.includes(outcome.response.status) ? 'dead' : 'alive'
  // Of what has no code of its own it is not known whose fault it is.
  return outcome.code === 'call-failed' ? 'none' : 'dead'
}

/**
 * Finds out when a target is dead, so that it is not called in vain, and when it is there again. Times in milliseconds,
 * by one clock that does not jump.
 *
 *     closed ──nothing but failures: so many, for two seconds──▶ open ──a call comes, and it is time──▶ half-open
 *       ▲                                                          ▲                                      │  │
 *       │                                                          └────────────── it fails ──────────────┘  │
 *       └──────────────────────────── any call gets an answer of a target that is alive ─────────────────────┘
 */
export class Breaker {
  /** 0: it never opens. */
  readonly #failuresMin: number
  #failures = 0
  /** Since when there have been nothing but failures, if there are any. */
  #deadSinceMs = 0
  #failedMs = Number.NEGATIVE_INFINITY
  #aliveMs = Number.NEGATIVE_INFINITY
  #isOpen = false
  #isProbing = false
  /** When the last probe began; before the first, when it opened. */
  #probedMs = 0
  #parkedSinceProbe = 0

  constructor(failuresMin: number) {
    this.#failuresMin = failuresMin
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get state(): BreakerState {
    if (!this.#isOpen) return 'closed'
    return this.#isProbing ? 'half-open' : 'open'
  }

  /** For how long the target has been dead, as far as is known; 0 while it is closed. */
  outageMs(nowMs: number): number {
    return this.#isOpen ? nowMs - this.#deadSinceMs : 0
  }

  /** Whether a call may begin now; while it is open that is a probe. */
  admits(nowMs: number): boolean {
    if (!this.#isOpen) return true
    const sinceMs = nowMs - this.#probedMs
    if (this.#isProbing && sinceMs < PROBE_PATIENCE_MS) return false
    const outageMs = this.outageMs(nowMs)
    const few = this.#parkedSinceProbe < PARKED_PER_PROBE
    const waitMs = few ? outageMs * LONE_PROBE_SHARE : Math.min(PROBE_MS_MAX, outageMs * PROBE_SHARE)
    return sinceMs >= Math.max(PROBE_MS_MIN, waitMs)
  }

  begin(nowMs: number): void {
    if (!this.#isOpen) return
    this.#isProbing = true
    this.#probedMs = nowMs
    this.#parkedSinceProbe = 0
  }

  /** A call ended. Whether it began before it opened does not matter: an answer is an answer. */
  end(sign: Sign, durationMs: number, nowMs: number): BreakerChange | undefined {
    this.#isProbing = false
    if (sign === 'alive') return this.#revive(nowMs)
    if (sign === 'none' || this.#isOpen) return undefined
    this.#countFailure(nowMs - durationMs, nowMs)
    const isEnough = this.#failuresMin > 0 && this.#failures >= this.#failuresMin
    if (!isEnough || nowMs - this.#deadSinceMs < DEAD_MS_MIN) return undefined
    this.#isOpen = true
    this.#probedMs = nowMs
    this.#parkedSinceProbe = 0
    return 'opened'
  }

  /** A call that began was not made: another may take its place as a probe. */
  unmade(): void {
    this.#isProbing = false
    this.#probedMs = Number.NEGATIVE_INFINITY
  }

  /**
   * For how long to put off a call that is not made while it is open. That grows with the outage, so that each call is put
   * off few times, and they come back a few at a time. `random` is a number in [0, 1).
   */
  park(nowMs: number, random: number): number {
    this.#parkedSinceProbe += 1
    return Math.max(PARK_MS_MIN, this.outageMs(nowMs) * PARK_SHARE) * (1 + JITTER_SHARE * random)
  }

  /** For how long it is worth knowing after the last call, or after the last was put off: by then that one is back. */
  keepMs(nowMs: number): number {
    return this.#failures > 0 ? Math.max(APART_MS, this.outageMs(nowMs) * PARK_SHARE) : 0
  }

  #countFailure(beganMs: number, nowMs: number): void {
    if (beganMs - this.#failedMs > APART_MS) this.#failures = 0
    if (this.#failures === 0) this.#deadSinceMs = Math.max(beganMs, this.#aliveMs)
    this.#failures += 1
    this.#failedMs = nowMs
  }

  #revive(nowMs: number): 'closed' | undefined {
    const wasOpen = this.#isOpen
    this.#aliveMs = nowMs
    this.#failures = 0
    this.#isOpen = false
    return wasOpen ? 'closed' : undefined
  }
}
