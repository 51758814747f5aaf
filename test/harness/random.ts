/** Random numbers that a seed repeats. */
export interface Random {
  readonly seed: number
  /** In [0, 1). */
  next(): number
  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number
}

/** The seed comes from the command line (`node dist/kill.test.js 4711`), or is a new one: print it. */
export function createRandom(seed = Number(process.argv[2]) || Math.floor(Math.random() * 2 ** 31)): Random {
  let state = seed >>> 0
  // Mulberry32, by Tommy Ettinger.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { seed, next, integer: (min, max) => min + Math.floor(next() * (max - min + 1)) }
}
