import fc from 'fast-check'
import t from 'tap'
import { TokenBucket } from '../src/token-bucket.js'

const START_MS = 1_000_000

t.test('in any time no more begin than burst and rate let through', async () => {
  const rate = fc.double({ min: 0.1, max: 500, noNaN: true })
  const pauses = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(rate, fc.integer({ min: 1, max: 50 }), pauses, (perSecond, burst, pausesMs) => {
      const bucket = new TokenBucket(perSecond, burst, START_MS)
      const begun: number[] = []
      let nowMs = START_MS
      for (const pauseMs of pausesMs) {
        nowMs += pauseMs
        for (; bucket.has(nowMs); bucket.take(nowMs)) begun.push(nowMs)
      }
      const most = Math.max(burst, perSecond / 10)
      return begun.every((fromMs, from) => {
        return begun.every(
          (toMs, to) => to - from + 1 <= most + (perSecond * Math.max(0, toMs - fromMs)) / 1_000 + 1e-6,
        )
      })
    }),
    { numRuns: 50 },
  )
})

t.test('whoever asks often enough gets the whole rate', async (t) => {
  for (const perSecond of [1, 20, 1_000, 5_000]) {
    const bucket = new TokenBucket(perSecond, 1, START_MS)
    let begun = 0
    for (let ms = 0; ms <= 10_000; ms += 50) for (; bucket.has(START_MS + ms); bucket.take(START_MS + ms)) begun += 1
    t.ok(begun >= perSecond * 9.99, `${begun} in ten seconds at ${perSecond} a second`)
  }
})

t.test('what was not used is given back, up to what it holds', async (t) => {
  const bucket = new TokenBucket(1, 2, START_MS)
  bucket.giveBack()
  bucket.take(START_MS)
  bucket.take(START_MS)
  t.notOk(bucket.has(START_MS))
  bucket.giveBack()
  t.ok(bucket.has(START_MS))
})

t.test('turns come one after the other at its pace, behind what waits', async (t) => {
  const bucket = new TokenBucket(2, 2, START_MS)
  t.equal(bucket.waitMs(2, START_MS), 0)
  t.equal(bucket.waitMs(4, START_MS), 1_000)
  const turns = [4, 4, 4].map((waiting) => bucket.turnMs(waiting, START_MS) - START_MS)
  t.strictSame(turns, [1_500, 2_000, 2_500])
  t.equal(bucket.keepMs(START_MS), 2_500, 'the last turn is to come')
  t.equal(bucket.keepMs(START_MS + 60_000), 0)
})

t.test('it is what holds calls up if it is empty and slower than the target', async (t) => {
  const bucket = new TokenBucket(2, 1, START_MS)
  t.notOk(bucket.holdsUp(0, START_MS))
  bucket.take(START_MS)
  t.ok(bucket.holdsUp(499, START_MS))
  t.notOk(bucket.holdsUp(501, START_MS))
})
