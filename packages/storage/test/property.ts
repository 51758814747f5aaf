import fc from 'fast-check'
import type { Test } from 'tap'

const seed = Number(process.env.POSTHASTE_SEED ?? Math.floor(Math.random() * 2 ** 31))

/** Asserts a property for `runs` random values. Set POSTHASTE_SEED to the seed that it prints to repeat a run. */
export async function holds<T>(
  t: Test,
  name: string,
  runs: number,
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => Promise<void>,
): Promise<void> {
  t.comment(`${name}: seed ${seed}`)
  await t.resolves(fc.assert(fc.asyncProperty(arbitrary, check), { seed, numRuns: runs }), name)
}
