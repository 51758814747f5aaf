import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Pool } from 'undici'
import { callEnd, Exchange, type ExchangeOptions, NOT_MADE } from '../src/exchange.js'
import { Pace } from '../src/pace.js'
import { startBlackHole } from './black-hole.js'
import { startTarget, until } from './setting.js'

t.test('what may be in other hands by the time it would be sent is not sent', async (t) => {
  const target = await startTarget(t)
  const pool = poolFor(t, target.url)
  let held = true
  const first = exchange({ held: () => held })
  first.start(pool, { method: 'GET', path: '/' })
  t.match(await first.outcome, { kind: 'answered', response: { status: 200 } })
  held = false
  const second = exchange({ held: () => held })
  second.start(pool, { method: 'GET', path: '/' })
  t.equal(await second.outcome, NOT_MADE)
  await sleep(50)
  t.equal(target.seen.length, 1)
})

t.test('a call that is given up while it waits for a connection is never sent', async (t) => {
  const target = await startTarget(t, (_, response) => setTimeout(() => response.end(), 100))
  const pool = poolFor(t, target.url)
  const [running, waiting, late] = [exchange(), exchange(), exchange({ timeoutMs: 20 })]
  for (const one of [running, waiting, late]) one.start(pool, { method: 'GET', path: '/' })
  waiting.abort()
  t.equal(await waiting.outcome, NOT_MADE)
  t.match(await late.outcome, { kind: 'unanswered', code: 'timeout' })
  t.match(await running.outcome, { kind: 'answered' })
  await sleep(50)
  t.equal(target.seen.length, 1)
})

t.test('a call has one outcome, the first', async (t) => {
  const target = await startTarget(t)
  const one = exchange()
  one.start(poolFor(t, target.url), { method: 'GET', path: '/' })
  const outcome = await one.outcome
  one.abort()
  t.equal(await one.outcome, outcome)
})

t.test('a call that is given up ends its connection', async (t) => {
  const target = await startTarget(t, () => {})
  const one = exchange()
  one.start(poolFor(t, target.url), { method: 'GET', path: '/' })
  await until(() => target.open() === 1)
  one.abort()
  await until(() => target.open() === 0)
  t.equal(await one.outcome, NOT_MADE)
})

t.test('a call that is cancelled was made, and says nothing of its target', async (t) => {
  const target = await startTarget(t, () => {})
  const one = exchange()
  one.start(poolFor(t, target.url), { method: 'GET', path: '/' })
  await until(() => target.open() === 1)
  one.cancel()
  await until(() => target.open() === 0)
  const outcome = await one.outcome
  t.match(outcome, { kind: 'unanswered', code: 'cancelled', startedAtMs: Number, durationMs: Number })
  t.equal(callEnd(outcome), 'not made')
  t.match(callEnd({ kind: 'unanswered', startedAtMs: 1, durationMs: 2, code: 'timeout', detail: '' }), {
    answered: false,
    durationMs: 2,
  })
})

t.test('what is wrong with a request itself is an outcome', async (t) => {
  const target = await startTarget(t)
  const one = exchange()
  one.start(poolFor(t, target.url), { method: 'GET', path: '/', headers: ['a\n', 'b'] })
  t.match(await one.outcome, { kind: 'unanswered', code: 'call-failed' })
})

t.test('what is beyond the limit is counted, at the pace that all such bodies share', async (t) => {
  const target = await startTarget(t, (_, response) => response.end(Buffer.alloc(400_000)))
  const discardPace = new Pace(1_000_000)
  const startedMs = performance.now()
  const outcomes = [1, 2].map(() => {
    const one = exchange({ discardPace })
    one.start(poolFor(t, target.url), { method: 'GET', path: '/' })
    return one.outcome
  })
  for (const outcome of await Promise.all(outcomes))
    t.match(outcome, { kind: 'answered', response: { body: { length: 0 }, bodyBytes: 400_000 } })
  t.ok(performance.now() - startedMs > 400)
})

t.test('a call whose reading is paused still has its deadline', async (t) => {
  const target = await startTarget(t, (_, response) => response.end(Buffer.alloc(4_000_000)))
  const one = exchange({ discardPace: new Pace(1_000), timeoutMs: 100 })
  one.start(poolFor(t, target.url), { method: 'GET', path: '/' })
  t.match(await one.outcome, { kind: 'unanswered', code: 'timeout' })
  await until(() => target.open() === 0)
})

t.test('a place that answers no attempt to connect, within the time for that: connect-timeout', async (t) => {
  const pool = new Pool(new URL(await startBlackHole(t)).origin, { connect: { timeout: 100 } })
  t.teardown(() => pool.destroy())
  const one = exchange({ timeoutMs: 60_000 })
  one.start(pool, { method: 'GET', path: '/' })
  t.match(await one.outcome, { kind: 'unanswered', code: 'connect-timeout' })
})

t.test('a pool that is closed is an outcome, whatever its connection is doing', async (t) => {
  const pool = new Pool(new URL(await startBlackHole(t)).origin)
  const [connecting, after] = [exchange(), exchange()]
  connecting.start(pool, { method: 'GET', path: '/' })
  await sleep(20)
  await pool.destroy()
  after.start(pool, { method: 'GET', path: '/' })
  for (const one of [connecting, after]) t.match(await one.outcome, { kind: 'unanswered', code: 'connection-closed' })
})

function exchange(options: Partial<ExchangeOptions> = {}): Exchange {
  return new Exchange({
    held: () => true,
    timeoutMs: 5_000,
    responseBytesMax: 1_024,
    discardPace: new Pace(2 ** 30),
    nowMs: Date.now(),
    ...options,
  })
}

function poolFor(t: Test, url: string): Pool {
  const pool = new Pool(url, { connections: 1, pipelining: 1 })
  t.teardown(() => pool.destroy())
  return pool
}
