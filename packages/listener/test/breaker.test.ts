import type { ErrorCode, Outcome } from '@posthaste/core'
import fc from 'fast-check'
import t from 'tap'
import { Breaker, signOf } from '../src/breaker.js'

const START_MS = 1_000_000
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** One that opened at START_MS, of a target that has been dead since `outageMs` before. */
function opened(outageMs = 2_000): Breaker {
  const breaker = new Breaker(1)
  breaker.begin(START_MS - outageMs)
  if (breaker.end('dead', outageMs, START_MS) !== 'opened') throw new Error('It did not open.')
  return breaker
}

function answered(status: number): Outcome {
  const response = { status, headers: {}, body: new Uint8Array(0), bodyBytes: 0 }
  return { kind: 'answered', startedAtMs: 0, durationMs: 1, response }
}

function unanswered(code: ErrorCode): Outcome {
  return { kind: 'unanswered', startedAtMs: 0, durationMs: 1, code, detail: '' }
}

t.test('what is said by a target that is there, and by one that may be dead', async (t) => {
  for (const status of [500, 502, 503, 504]) t.equal(signOf(answered(status)), 'dead', `${status}`)
  for (const status of [200, 204, 301, 400, 404, 408, 425, 429, 501, 505])
    t.equal(signOf(answered(status)), 'alive', `${status}`)
  const codes = [
    'timeout',
    'connect-timeout',
    'connection-refused',
    'connection-closed',
    'unreachable',
    'name-not-resolved',
    'tls-failed',
    'invalid-response',
  ] as const
  for (const code of codes) t.equal(signOf(unanswered(code)), 'dead', code)
  t.equal(signOf(unanswered('call-failed')), 'none', 'it may be the instruction that is at fault')
})

t.test('it opens after so many failures in a row, once they have gone on for two seconds', async (t) => {
  const breaker = new Breaker(3)
  for (const atMs of [0, 10, 20, 1_000, 1_998]) t.equal(breaker.end('dead', 1, START_MS + atMs), undefined)
  t.equal(breaker.state, 'closed')
  t.equal(breaker.end('dead', 1, START_MS + 1_999), 'opened')
  t.equal(breaker.state, 'open')
  t.equal(breaker.outageMs(START_MS + 1_999), 2_000, 'from when the first of them began')

  const few = new Breaker(3)
  few.end('dead', 1, START_MS)
  t.equal(few.end('dead', 1, START_MS + 50_000), undefined, 'two are not enough, however long')
  t.equal(few.end('dead', 1, START_MS + 100_000), 'opened')
})

t.test('calls that ended together count from their begin', async (t) => {
  const breaker = new Breaker(3)
  for (let count = 0; count < 2; count += 1) t.equal(breaker.end('dead', 30_000, START_MS), undefined)
  t.equal(breaker.end('dead', 30_000, START_MS), 'opened', 'all have hung for thirty seconds')
  const lively = new Breaker(3)
  lively.end('alive', 1, START_MS - 500)
  for (let count = 0; count < 9; count += 1) t.equal(lively.end('dead', 30_000, START_MS), undefined)
  t.equal(lively.end('dead', 30_000, START_MS + 1_500), 'opened', 'but not from before the last success')
})

t.test('what says nothing of the target neither counts nor breaks the row', async (t) => {
  const breaker = new Breaker(2)
  breaker.end('dead', 1, START_MS)
  for (let count = 0; count < 5; count += 1) t.equal(breaker.end('none', 1, START_MS + 3_000), undefined)
  breaker.unmade()
  t.equal(breaker.end('dead', 1, START_MS + 4_000), 'opened')
})

t.test('failures that are more than a minute apart are no row', async (t) => {
  const breaker = new Breaker(3)
  for (let hour = 0; hour < 9; hour += 1) t.equal(breaker.end('dead', 10, START_MS + hour * HOUR_MS), undefined)
  const slow = new Breaker(3)
  for (const end of [1, 2]) t.equal(slow.end('dead', 120_000, START_MS + end * 120_000), undefined)
  t.equal(slow.end('dead', 120_000, START_MS + 3 * 120_000), 'opened', 'from the end of one to the begin of the next')
})

t.test('it never opens if it may not, or while some succeed', async (t) => {
  const never = new Breaker(0)
  for (let atMs = 0; atMs < HOUR_MS; atMs += 1_000) t.equal(never.end('dead', 1, START_MS + atMs), undefined)
  // A thousand calls a second of which half fail: rows of ten come by, none lasts.
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 5_000, maxLength: 20_000, size: 'max' }), (ends) => {
      const breaker = new Breaker(10)
      return ends.every((alive, at) => breaker.end(alive ? 'alive' : 'dead', 1, START_MS + at) === undefined)
    }),
    { numRuns: 20 },
  )
})

t.test('a call is parked for half of the outage, at least 30 s, and a fifth longer at most', async (t) => {
  const breaker = opened()
  t.equal(breaker.park(START_MS, 0), 30_000)
  t.equal(breaker.park(START_MS + 58_000, 0), 30_000)
  t.equal(breaker.park(START_MS + 598_000, 0), 300_000)
  t.equal(breaker.park(START_MS + 598_000, 0.5), 330_000)
  t.ok(breaker.park(START_MS + 598_000, 1 - Number.EPSILON) <= 360_000)
})

t.test('an hour of outage is twelve parks or so, thirteen at the most', async (t) => {
  const parksOf = (random: () => number): number => {
    const breaker = opened()
    let parks = 0
    for (let atMs = START_MS; breaker.outageMs(atMs) < HOUR_MS; parks += 1) atMs += breaker.park(atMs, random())
    return parks
  }
  t.equal(
    parksOf(() => 0),
    13,
  )
  t.equal(
    parksOf(() => 0.5),
    12,
  )
  fc.assert(
    fc.property(fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })), (stream) => {
      const parks = parksOf(() => stream.next().value as number)
      return parks >= 11 && parks <= 13
    }),
  )
})

t.test('while it is open one call in ten may be a probe, at intervals that grow with the outage', async (t) => {
  const breaker = opened()
  t.notOk(breaker.admits(START_MS + 900), 'not within a second')
  for (let count = 0; count < 10; count += 1) breaker.park(START_MS, 0)
  t.ok(breaker.admits(START_MS + 1_000))
  breaker.begin(START_MS + 1_000)
  t.equal(breaker.state, 'half-open')
  t.notOk(breaker.admits(START_MS + 5_000), 'one at a time')
  breaker.end('dead', 4_000, START_MS + 5_000)
  t.equal(breaker.state, 'open')

  const later = opened(100_000)
  const probesAfter = (parked: number, outageMs: number): number => {
    later.begin(START_MS)
    later.end('dead', 1, START_MS)
    for (let count = 0; count < parked; count += 1) later.park(START_MS, 0)
    let ms = 0
    while (!later.admits(START_MS + ms)) ms += 100
    t.ok(later.outageMs(START_MS + ms) >= outageMs)
    return ms
  }
  t.equal(probesAfter(10, 100_000), 11_200, 'a tenth of the outage by then')
  t.equal(probesAfter(9, 100_000), 100_000, 'half of it where few come')
  const old = opened(HOUR_MS)
  for (let count = 0; count < 10; count += 1) old.park(START_MS, 0)
  t.notOk(old.admits(START_MS + 29_900))
  t.ok(old.admits(START_MS + 30_000), 'thirty seconds at the most where many come')
})

t.test('a probe without end holds up the next one for half a minute only', async (t) => {
  const breaker = opened()
  for (let count = 0; count < 10; count += 1) breaker.park(START_MS, 0)
  breaker.begin(START_MS + 1_000)
  for (let count = 0; count < 10; count += 1) breaker.park(START_MS + 1_000, 0)
  t.notOk(breaker.admits(START_MS + 30_900))
  t.ok(breaker.admits(START_MS + 31_000))
})

t.test('a probe that was not made makes room for another', async (t) => {
  const breaker = opened()
  for (let count = 0; count < 10; count += 1) breaker.park(START_MS, 0)
  breaker.begin(START_MS + 1_000)
  breaker.unmade()
  t.equal(breaker.state, 'open')
  t.ok(breaker.admits(START_MS + 1_000))
})

t.test('any answer of a target that is alive closes it, and the next outage begins anew', async (t) => {
  const breaker = opened(HOUR_MS)
  t.equal(breaker.end('dead', 1, START_MS + 1_000), undefined)
  t.equal(breaker.end('alive', MINUTE_MS, START_MS + 2_000), 'closed')
  t.equal(breaker.state, 'closed')
  t.ok(breaker.admits(START_MS + 2_000))
  t.equal(breaker.end('alive', 1, START_MS + 3_000), undefined, 'told once')
  t.equal(breaker.end('dead', 1, START_MS + 4_000), undefined)
  t.equal(breaker.end('dead', 1, START_MS + 6_000), 'opened')
  t.equal(breaker.park(START_MS + 6_000, 0), 30_000)
})

t.test('it is worth knowing until what was parked is back', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 2_000, max: 10 * HOUR_MS }), (outageMs) => {
      const breaker = opened(outageMs)
      const backMs = START_MS + breaker.park(START_MS, 0.999)
      return breaker.keepMs(backMs) > backMs - START_MS
    }),
  )
  t.equal(new Breaker(10).keepMs(START_MS), 0)
})
