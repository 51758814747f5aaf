import type { Log } from '@posthaste/core'
import type { ClockSkew } from '@posthaste/stream'
import t from 'tap'
import { ClockWatch } from '../src/clock-watch.js'

t.test('a skew is told once when it is surely too much, and once when it surely is not', async (t) => {
  const told: unknown[] = []
  const seen = await watch(told, [
    { aheadMs: 3, uncertaintyMs: 1 },
    { aheadMs: 300, uncertaintyMs: 60 },
    { aheadMs: -300, uncertaintyMs: 2 },
    { aheadMs: -2_000, uncertaintyMs: 2 },
    { aheadMs: 200, uncertaintyMs: 60 },
    { aheadMs: 200, uncertaintyMs: 50 },
    { aheadMs: 0, uncertaintyMs: 1 },
    { aheadMs: 251, uncertaintyMs: 0 },
  ])
  t.strictSame(told, [
    ['warn', { aheadMs: -300, uncertaintyMs: 2 }],
    ['info', { aheadMs: 200, uncertaintyMs: 50 }],
    ['warn', { aheadMs: 251, uncertaintyMs: 0 }],
  ])
  t.strictSame(seen[0], undefined, 'nothing is known before')
  t.strictSame(seen.slice(1, 3), [
    { aheadMs: 3, uncertaintyMs: 1 },
    { aheadMs: 300, uncertaintyMs: 60 },
  ])
})

t.test('while a stream cannot be asked, what it said last is what is known', async (t) => {
  const told: unknown[] = []
  const skew = { aheadMs: 400, uncertaintyMs: 1 }
  const seen = await watch(told, [skew, new Error('away'), skew])
  t.strictSame(seen.slice(1), [skew, skew, skew])
  t.strictSame(told, [['warn', skew], ['debug']])
})

t.test('where there is one machine nothing is known and nothing told', async (t) => {
  const told: unknown[] = []
  t.strictSame(await watch(told, [undefined, undefined]), [undefined, undefined, undefined])
  t.strictSame(told, [])
})

/** Watches a stream that answers so, and returns what was known when it was asked, and at the end. */
async function watch(
  told: unknown[],
  answers: readonly (ClockSkew | Error | undefined)[],
): Promise<(ClockSkew | undefined)[]> {
  const tell =
    (level: string) =>
    (fields: object): void => {
      told.push('err' in fields ? [level] : [level, fields])
    }
  const log: Log = { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') }
  const clockWatch = new ClockWatch(log, 1)
  const stop = new AbortController()
  const seen: (ClockSkew | undefined)[] = []
  const rest = [...answers]
  const clockSkew = async (): Promise<ClockSkew | undefined> => {
    seen.push(clockWatch.skew)
    if (rest.length === 0) stop.abort()
    const answer = rest.shift()
    if (answer instanceof Error) throw answer
    return answer
  }
  await clockWatch.run({ clockSkew }, stop.signal)
  return seen
}
