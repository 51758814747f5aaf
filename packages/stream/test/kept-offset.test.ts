import { KeptOffset } from '@posthaste/stream'
import t from 'tap'

t.test('what is completed may be removed five seconds later', async (t) => {
  const kept = new KeptOffset()
  t.equal(kept.before(1_000), 0)
  kept.moveTo(10)
  t.equal(kept.offset, 10)
  t.equal(kept.before(1_000), 0)
  kept.moveTo(20)
  t.equal(kept.before(4_000), 0)
  t.equal(kept.before(5_999), 0)
  t.equal(kept.before(6_000), 10)
  t.equal(kept.before(8_999), 10)
  t.equal(kept.before(9_000), 20)
  t.equal(kept.before(60_000), 20)
})

t.test('asked all the time, it remembers a mark for each tenth of a second', async (t) => {
  const kept = new KeptOffset()
  let most = 0
  for (let nowMs = 0; nowMs < 60_000; nowMs += 1) {
    kept.moveTo(nowMs)
    const before = kept.before(nowMs)
    if (before > Math.max(0, nowMs - 5_000)) t.fail(`${before} at ${nowMs}`)
    most = Math.max(most, nowMs - before)
  }
  t.ok(most <= 5_200, `${most} ms at the most`)
})
