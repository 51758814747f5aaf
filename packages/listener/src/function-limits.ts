import { type FunctionMap, functionOf, isFunctionUrl, type NamedFunction } from '@posthaste/core'
import type { LimitsOf, TargetLimits } from './target-limits.js'

/** What holds for named functions. */
export function functionLimits(functions: () => FunctionMap, usual: TargetLimits, placesMax: number): LimitsOf {
  const ofNone = { ...usual, places: Math.min(usual.places, placesMax) }
  // It is asked all the time.
  const known = new WeakMap<NamedFunction, TargetLimits>()
  return (origin, before = ofNone) => {
    if (!isFunctionUrl(origin)) return undefined
    const found = functionOf(origin, functions())
    // One that is gone may come back, and what it was called before counts then.
    if (!found) return before
    const limits = known.get(found) ?? limitsOf(found, usual, placesMax)
    known.set(found, limits)
    return limits
  }
}

function limitsOf({ limits = {}, url }: NamedFunction, usual: TargetLimits, placesMax: number): TargetLimits {
  const { concurrency = usual.places, requestsPerSecond: rate } = limits
  return {
    ...usual,
    at: url,
    places: Math.min(concurrency, placesMax),
    ...(rate !== undefined && { rate, burst: limits.burst ?? Math.ceil(rate) }),
  }
}
