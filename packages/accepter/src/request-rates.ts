import { PosthasteError } from '@posthaste/core'
import type { Caller, RequestLimit } from './caller.js'

export interface Quota {
  /** As many as were asked for, or as many as he may. */
  readonly taken: number
  /** How many more may be asked at once. */
  readonly remaining: number
  /** When as many may be asked at once as ever. */
  readonly fullAfterMs: number
  /** When the next may be asked; 0 for now. */
  readonly nextAfterMs: number
}

/** Beyond so many callers those are forgotten who have asked for nothing lately. */
const CALLERS_MAX = 10_000

/**
 * Counts what callers ask, as the generic cell rate algorithm does: all that is kept of a caller is the time at which all
 * that he has asked would be worked off at his rate. Times by one clock, which never goes back.
 */
export class RequestRates {
  readonly #workedOffMs = new Map<string, number>()
  #sizeMax = CALLERS_MAX

  get size(): number {
    return this.#workedOffMs.size
  }

  /** Takes so many requests of a caller, or as many of them as he may ask. */
  take(caller: string, { burst, requestsPerSecond }: RequestLimit, nowMs: number, wanted = 1): Quota {
    const intervalMs = 1_000 / requestsPerSecond
    const spanMs = burst * intervalMs
    // With another limit than before he owes no more than that allows.
    const before = Math.min(Math.max(this.#workedOffMs.get(caller) ?? 0, nowMs), nowMs + spanMs)
    const room = Math.floor((spanMs - (before - nowMs)) / intervalMs + ROUNDING)
    const taken = Math.min(wanted, Math.max(0, room))
    const after = before + taken * intervalMs
    const owedMs = after - nowMs
    if (taken > 0) this.#workedOffMs.set(caller, after)
    if (this.size > this.#sizeMax) this.#forget(nowMs)
    return {
      taken,
      remaining: Math.max(0, room - taken),
      fullAfterMs: owedMs,
      nextAfterMs: Math.max(0, owedMs + intervalMs - spanMs),
    }
  }

  #forget(nowMs: number): void {
    for (const [caller, atMs] of this.#workedOffMs) if (atMs <= nowMs) this.#workedOffMs.delete(caller)
    // Not for each request, if all of them ask.
    this.#sizeMax = Math.max(CALLERS_MAX, this.size * 2)
  }
}

/** What adding up fractions may lose. */
const ROUNDING = 1e-6

export function rateLimited({ limit, name }: Caller): PosthasteError {
  const { burst, requestsPerSecond } = limit as RequestLimit
  const detail = `${name} may ask ${requestsPerSecond} times a second, and ${burst} times at once after a rest.`
  return new PosthasteError('rate-limited', detail)
}
