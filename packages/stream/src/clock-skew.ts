import type { Clock } from '@posthaste/core'

/** How far the clock of this process is from that of the stream. */
export interface ClockSkew {
  /** Below 0 if it is behind. */
  readonly aheadMs: number
  /** The truth is no further than this from `aheadMs`. */
  readonly uncertaintyMs: number
}

const COMPARISONS = 5
/** Both clocks leave out fractions of a millisecond, and so does the result. */
const FRACTIONS_MS = 1.5

/**
 * Compares `clock` with another one, a few times, and resolves with the narrowest result. `ask` resolves with what the
 * other one said at some moment between the question and the answer: so the uncertainty is half of what that took.
 */
export async function measureClockSkew(clock: Clock, ask: () => Promise<number>): Promise<ClockSkew> {
  let narrowest = await compare(clock, ask)
  for (let count = 1; count < COMPARISONS; count += 1) {
    const skew = await compare(clock, ask)
    if (skew.uncertaintyMs < narrowest.uncertaintyMs) narrowest = skew
  }
  return narrowest
}

async function compare(clock: Clock, ask: () => Promise<number>): Promise<ClockSkew> {
  const askedMs = clock.now()
  // Not by `clock`, which may be set meanwhile.
  const startedMs = performance.now()
  const otherMs = await ask()
  const halfMs = (performance.now() - startedMs) / 2
  return { aheadMs: Math.round(askedMs + halfMs - otherMs), uncertaintyMs: Math.ceil(halfMs + FRACTIONS_MS) }
}
