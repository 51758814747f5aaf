import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { measureClockSkew } from '../src/index.js'

const SLOW_MS = 60

/** A clock that is behind by `behindMs`, and takes its time before it looks and before it answers. */
function remote(behindMs: number, lookMs: number, answerMs: number): () => Promise<number> {
  return async () => {
    if (lookMs > 0) await sleep(lookMs)
    const nowMs = Date.now() - behindMs
    if (answerMs > 0) await sleep(answerMs)
    return nowMs
  }
}

t.test('the skew lies within the uncertainty, however the time of the way is spent', async (t) => {
  for (const aheadMs of [0, 2_000, -2_000]) {
    for (const [lookMs, answerMs] of [
      [0, 0],
      [SLOW_MS, 0],
      [0, SLOW_MS],
    ] as const) {
      const found = await measureClockSkew({ now: () => Date.now() }, remote(aheadMs, lookMs, answerMs))
      const text = `${aheadMs}: ${JSON.stringify(found)}`
      t.ok(Math.abs(found.aheadMs - aheadMs) <= found.uncertaintyMs, text)
      t.ok(found.uncertaintyMs >= (lookMs + answerMs - 1) / 2, text)
      t.ok(Number.isInteger(found.aheadMs) && Number.isInteger(found.uncertaintyMs), text)
    }
  }
})

t.test('the narrowest of several comparisons counts', async (t) => {
  let asked = 0
  const found = await measureClockSkew({ now: () => Date.now() + 500 }, () => {
    asked += 1
    return remote(0, asked === 1 ? SLOW_MS : 0, 0)()
  })
  t.ok(asked > 1)
  t.ok(found.uncertaintyMs < SLOW_MS / 2, 'the first one was the slow one')
  t.ok(Math.abs(found.aheadMs - 500) <= found.uncertaintyMs)
})

t.test('a clock that is set meanwhile makes no time of the way', async (t) => {
  let stepMs = 0
  const clock = { now: () => Date.now() + stepMs }
  const found = await measureClockSkew(clock, async () => {
    stepMs -= 10_000
    return Date.now()
  })
  t.ok(found.uncertaintyMs >= 1 && found.uncertaintyMs < 5_000, JSON.stringify(found))
})

t.test('what cannot be asked is thrown', async (t) => {
  await t.rejects(
    measureClockSkew({ now: () => 0 }, () => Promise.reject(new Error('away'))),
    { message: 'away' },
  )
})
