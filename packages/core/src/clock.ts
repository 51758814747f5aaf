/** Where the time comes from. Tests hand in one they control. */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. */
  now(): number
}

/** The machine's clock. */
export const systemClock: Clock = { now: () => Date.now() }
