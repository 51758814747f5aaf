import t from 'tap'
import { requestLimit } from '../src/index.js'
import { RequestRates } from '../src/request-rates.js'

t.test('so many at once, and then at the rate', async (t) => {
  const rates = new RequestRates()
  const limit = { requestsPerSecond: 10, burst: 3 }
  const take = (nowMs: number) => rates.take('a', limit, nowMs)
  t.match(take(5_000), { taken: 1, remaining: 2, fullAfterMs: 100, nextAfterMs: 0 })
  t.match(take(5_000), { taken: 1, remaining: 1, fullAfterMs: 200, nextAfterMs: 0 })
  t.match(take(5_000), { taken: 1, remaining: 0, fullAfterMs: 300, nextAfterMs: 100 })
  t.match(take(5_000), { taken: 0, remaining: 0, fullAfterMs: 300, nextAfterMs: 100 })
  t.match(take(5_099), { taken: 0, nextAfterMs: 1 }, 'what is refused costs nothing')
  t.match(take(5_100), { taken: 1, remaining: 0 })
  t.match(rates.take('b', limit, 5_100), { taken: 1, remaining: 2 }, 'each by himself')
  t.match(take(9_000), { taken: 1, remaining: 2 }, 'after a rest, as at first')
})

t.test('of many at a time as many as there is room for', async (t) => {
  const rates = new RequestRates()
  const limit = { requestsPerSecond: 10, burst: 3 }
  t.match(rates.take('a', limit, 0, 2), { taken: 2, remaining: 1, fullAfterMs: 200, nextAfterMs: 0 })
  t.match(rates.take('a', limit, 0, 1_000), { taken: 1, remaining: 0, fullAfterMs: 300, nextAfterMs: 100 })
  t.match(rates.take('a', limit, 0, 1_000), { taken: 0, remaining: 0, fullAfterMs: 300, nextAfterMs: 100 })
  t.match(rates.take('a', limit, 250, 1_000), { taken: 2, fullAfterMs: 250, nextAfterMs: 50 })
})

t.test('in any time no more than the burst and what the rate lets through', async (t) => {
  for (const limit of [
    { requestsPerSecond: 3, burst: 1 },
    { requestsPerSecond: 0.7, burst: 5 },
    { requestsPerSecond: 999, burst: 7 },
  ]) {
    const rates = new RequestRates()
    let taken = 0
    for (let nowMs = 0; nowMs < 10_000; nowMs += 0.5) taken += rates.take('a', limit, nowMs).taken
    const most = limit.burst + limit.requestsPerSecond * 10
    t.ok(taken <= most && taken >= most * 0.99 - 1, `${taken} of ${most}`)
  }
})

t.test('who gets another limit does not owe more than that', async (t) => {
  const rates = new RequestRates()
  for (let i = 0; i < 100; i += 1) rates.take('a', { requestsPerSecond: 0.1, burst: 100 }, 0)
  t.match(rates.take('a', { requestsPerSecond: 10, burst: 10 }, 0), { taken: 0, nextAfterMs: 100 })
})

t.test('those are forgotten who have not asked for long', async (t) => {
  const rates = new RequestRates()
  const limit = { requestsPerSecond: 1, burst: 1 }
  for (let i = 0; i < 20_000; i += 1) rates.take(`caller ${i}`, limit, i)
  t.ok(rates.size < 12_000, `${rates.size}`)
  t.match(rates.take('caller 19999', limit, 20_000), { taken: 0 })
})

t.test('without a burst it is what a second lets through, or one', async (t) => {
  t.strictSame(requestLimit(2.5), { requestsPerSecond: 2.5, burst: 3 })
  t.strictSame(requestLimit(0.1), { requestsPerSecond: 0.1, burst: 1 })
  t.strictSame(requestLimit(5, 50), { requestsPerSecond: 5, burst: 50 })
})
