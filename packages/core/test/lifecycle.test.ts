import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import {
  type Call,
  DEFAULT_RETRY_POLICY,
  decideAdmission,
  decideSequel,
  type ErrorCode,
  type Headers,
  type Outcome,
  type RetryPolicy,
  retryDelayMs,
} from '../src/index.js'
import { DAY_MS, NOW_MS } from './arbitraries.js'
import { holds } from './property.js'

const call: Call = {
  id: 'order-42',
  generation: 1,
  attempt: 1,
  acceptedAtMs: NOW_MS,
  depth: 0,
  target: 'http://a/',
  method: 'POST',
  headers: { a: '1' },
  body: Buffer.from('body'),
}
const steady: RetryPolicy = {
  ...DEFAULT_RETRY_POLICY,
  ...{ maxAttempts: 3, initialDelayMs: 1_000, factor: 2, maxDelayMs: 60_000, jitter: 'none' },
}

const answered = (status: number, headers: Headers = {}): Outcome => ({
  kind: 'answered',
  startedAtMs: NOW_MS,
  durationMs: 5,
  response: { status, headers, body: new Uint8Array(0), bodyBytes: 0 },
})
const unanswered = (code: ErrorCode): Outcome => ({
  kind: 'unanswered',
  startedAtMs: NOW_MS,
  durationMs: 5,
  code,
  detail: `It was ${code}.`,
})
const sequelOf = (outcome: Outcome, changes: Partial<Call> = {}, policy = steady, random = 0) =>
  decideSequel({ ...call, ...changes }, outcome, policy, NOW_MS, random)

t.test('what is due is called, to the millisecond', async (t) => {
  const admissions: [Partial<Call>, object][] = [
    [{}, { kind: 'call' }],
    [{ notBeforeMs: NOW_MS - 1 }, { kind: 'call' }],
    [{ notBeforeMs: NOW_MS }, { kind: 'call' }],
    [{ notBeforeMs: NOW_MS + 1 }, { kind: 'defer', dueMs: NOW_MS + 1 }],
    [{ expiresAtMs: NOW_MS + 1 }, { kind: 'call' }],
    [{ expiresAtMs: NOW_MS }, { kind: 'expire' }],
    [{ expiresAtMs: 0 }, { kind: 'expire' }],
    [
      { notBeforeMs: NOW_MS + 1, expiresAtMs: NOW_MS + 2 },
      { kind: 'defer', dueMs: NOW_MS + 1 },
    ],
    [{ notBeforeMs: NOW_MS + 1, expiresAtMs: NOW_MS }, { kind: 'expire' }],
  ]
  for (const [changes, admission] of admissions)
    t.strictSame(decideAdmission({ ...call, ...changes }, steady, NOW_MS), admission, JSON.stringify(changes))
})

t.test('every class of status', async (t) => {
  const statuses: Record<string, number[]> = {
    succeeded: [200, 201, 204, 206, 299],
    failed: [
      300, 301, 302, 304, 307, 308, 399, 400, 401, 403, 404, 405, 407, 409, 410, 418, 422, 424, 426, 428, 430, 499, 501,
    ],
    retrying: [408, 425, 429, 500, 502, 503, 504, 505, 507, 599],
  }
  for (const [state, list] of Object.entries(statuses)) {
    for (const status of list) {
      const sequel = sequelOf(answered(status))
      t.equal(sequel.state, state, String(status))
      if (sequel.state !== 'succeeded')
        t.strictSame(sequel.failure, { code: 'status', detail: `The target answered ${status}.` })
    }
  }
})

t.test('every way to end without an answer', async (t) => {
  const again: ErrorCode[] = ['timeout', 'connect-timeout', 'connection-refused', 'connection-closed', 'unreachable']
  again.push('name-not-resolved', 'tls-failed', 'invalid-response', 'call-failed')
  const forGood: ErrorCode[] = ['record-unreadable', 'expired', 'invalid-url']
  for (const code of again)
    t.match(sequelOf(unanswered(code)), { state: 'retrying', failure: { code, detail: `It was ${code}.` } })
  for (const code of forGood)
    t.match(sequelOf(unanswered(code)), { state: 'failed', failure: { code, detail: `It was ${code}.` } })
})

t.test('an attempt that was cancelled ends the invocation', async (t) => {
  const failure = { code: 'cancelled', detail: 'It was cancelled.' } as const
  for (const changes of [{}, { attempt: 3 }, { expiresAtMs: NOW_MS }])
    t.strictSame(sequelOf(unanswered('cancelled'), changes), { state: 'cancelled', failure })
})

t.test('the next attempt was not moved, whatever this one was', async (t) => {
  const sequel = sequelOf(answered(503), { move: 7 })
  t.equal(sequel.state, 'retrying')
  t.notOk('next' in sequel && 'move' in sequel.next)
})

t.test('the next attempt is the same call, later', async (t) => {
  const sequel = sequelOf(answered(503), { attempt: 2, notBeforeMs: 5, correlationId: 'c' })
  t.strictSame(sequel, {
    state: 'retrying',
    failure: { code: 'status', detail: 'The target answered 503.' },
    dueMs: NOW_MS + 2_000,
    next: {
      ...{ ...call, attempt: 3, notBeforeMs: NOW_MS + 2_000, correlationId: 'c' },
      ...{ answered: 1, sinceMs: NOW_MS },
    },
  })
})

t.test('the last attempt fails for good', async (t) => {
  for (const attempt of [3, 4, 100]) t.equal(sequelOf(answered(503), { attempt }).state, 'failed')
  t.equal(sequelOf(answered(503), {}, { ...steady, maxAttempts: 1 }).state, 'failed')
  t.equal(sequelOf(answered(200), { attempt: 3 }).state, 'succeeded')
})

t.test('an attempt that would come too late is not waited for', async (t) => {
  const failure = { code: 'status', detail: 'The target answered 503.' }
  t.strictSame(sequelOf(answered(503), { expiresAtMs: NOW_MS + 1_000 }), { state: 'expired', failure })
  t.equal(sequelOf(answered(503), { expiresAtMs: NOW_MS + 1_001 }).state, 'retrying')
  t.equal(sequelOf(answered(400), { expiresAtMs: NOW_MS + 1_000 }).state, 'failed', 'for good comes first')
  t.equal(sequelOf(answered(200), { expiresAtMs: NOW_MS - 1 }).state, 'succeeded', 'a success is never too late')
})

t.test('waits grow by the factor up to the longest', async (t) => {
  const waits = (policy: RetryPolicy, random: number) =>
    [1, 2, 3, 4, 5].map((attempt) => retryDelayMs(policy, attempt, random))
  const policy = { ...steady, maxDelayMs: 5_000 }
  t.strictSame(waits(policy, 0.5), [1_000, 2_000, 4_000, 5_000, 5_000])
  t.strictSame(waits({ ...policy, jitter: 'equal' }, 0.5), [750, 1_500, 3_000, 3_750, 3_750])
  t.strictSame(waits({ ...policy, jitter: 'full' }, 0.5), [500, 1_000, 2_000, 2_500, 2_500])
  t.strictSame(waits({ ...policy, jitter: 'full' }, 0), [0, 0, 0, 0, 0])
  t.strictSame(waits(DEFAULT_RETRY_POLICY, 1 - Number.EPSILON).slice(0, 4), [1_000, 2_000, 4_000, 8_000])
  t.equal(DEFAULT_RETRY_POLICY.maxAttempts, 5)
})

const anyPolicy: fc.Arbitrary<RetryPolicy> = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 100 }),
  initialDelayMs: fc.integer({ min: 0, max: 7 * DAY_MS }),
  factor: fc.double({ min: 1, max: 10, noNaN: true }),
  maxDelayMs: fc.integer({ min: 0, max: 7 * DAY_MS }),
  jitter: fc.constantFrom('none', 'equal', 'full'),
  maxAgeMs: fc.integer({ min: 1, max: 366 * DAY_MS }),
  statuses: fc.constant(DEFAULT_RETRY_POLICY.statuses),
  errors: fc.constant(DEFAULT_RETRY_POLICY.errors),
})
const attempt = fc.integer({ min: 1, max: 100 })
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

t.test('waits stay within the bounds of their jitter', async (t) => {
  holds(t, 'any policy', 3_000, fc.tuple(anyPolicy, attempt, chance), ([policy, number, random]) => {
    const wait = Math.min(policy.maxDelayMs, policy.initialDelayMs * policy.factor ** (number - 1))
    const least = { none: wait, equal: wait / 2, full: 0 }[policy.jitter]
    const delay = retryDelayMs(policy, number, random)
    assert.ok(Number.isInteger(delay))
    assert.ok(delay >= least - 0.5, `${delay} is less than ${least}`)
    assert.ok(delay <= wait + 0.5, `${delay} is more than ${wait}`)
    assert.ok(delay <= policy.maxDelayMs)
  })
})

t.test('there are never more attempts than allowed', async (t) => {
  const expiry = fc.option(fc.integer({ min: NOW_MS + 1, max: NOW_MS + 30 * DAY_MS }), { nil: undefined })
  holds(t, 'a life of failures', 500, fc.tuple(anyPolicy, chance, expiry), ([policy, random, expiresAtMs]) => {
    let nowMs = NOW_MS
    let attempts = 1
    let current: Call = { ...call, ...(expiresAtMs !== undefined && { expiresAtMs }) }
    let sequel = decideSequel(current, answered(503), policy, nowMs, random)
    while (sequel.state === 'retrying') {
      assert.ok(sequel.dueMs >= nowMs)
      assert.equal(sequel.next.notBeforeMs, sequel.dueMs)
      assert.deepEqual(
        decideAdmission(sequel.next, policy, sequel.dueMs),
        { kind: 'call' },
        'what is retried is called when due',
      )
      nowMs = sequel.dueMs
      current = sequel.next
      attempts += 1
      assert.equal(current.attempt, attempts)
      assert.ok(attempts <= policy.maxAttempts)
      sequel = decideSequel(current, answered(503), policy, nowMs, random)
    }
    if (sequel.state === 'failed') assert.equal(attempts, policy.maxAttempts)
    else assert.equal(sequel.state, 'expired')
  })
})

t.test('answers are counted apart from what had none', async (t) => {
  const outcomes = [answered(503), unanswered('timeout'), answered(429), unanswered('timeout')]
  const policy = { ...steady, maxAttempts: 9 }
  let current = call
  const counts = outcomes.map((outcome) => {
    const sequel = decideSequel(current, outcome, policy, NOW_MS, 0)
    if (sequel.state === 'retrying') current = sequel.next
    return [current.attempt, current.answered ?? 0]
  })
  t.strictSame(counts, [
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2],
  ])
})

t.test('a call grows old from the time at which it could first be made', async (t) => {
  const policy = { ...steady, maxAgeMs: 60_000 }
  const at = (changes: Partial<Call>, nowMs: number) => decideAdmission({ ...call, ...changes }, policy, nowMs).kind
  t.equal(at({}, NOW_MS + 59_999), 'call')
  t.equal(at({}, NOW_MS + 60_000), 'expire')
  t.equal(at({ notBeforeMs: NOW_MS + 5_000 }, NOW_MS + 64_999), 'call', 'not before its time')
  t.equal(at({ notBeforeMs: NOW_MS + 5_000 }, NOW_MS + 65_000), 'expire')
  t.equal(at({ notBeforeMs: NOW_MS - 5_000 }, NOW_MS + 60_000), 'expire', 'not before it was accepted')
  t.equal(at({ attempt: 2, sinceMs: NOW_MS, notBeforeMs: NOW_MS + 59_000 }, NOW_MS + 60_000), 'expire', 'nor later')
  const redriven = { sinceMs: NOW_MS + 1_000, acceptedAtMs: NOW_MS - 90_000 }
  t.equal(at(redriven, NOW_MS + 60_999), 'call', 'a redrive begins anew')
  t.equal(at({ ...redriven, notBeforeMs: NOW_MS + 5_000 }, NOW_MS + 64_999), 'call', 'and can be put off')
  t.equal(at({ expiresAtMs: NOW_MS + 9 }, NOW_MS + 9), 'expire', 'what comes first counts')
  t.equal(at({ expiresAtMs: NOW_MS + 90_000 }, NOW_MS + 60_000), 'expire')

  const late = { notBeforeMs: NOW_MS - 58_999, acceptedAtMs: NOW_MS - 90_000 }
  const sequel = sequelOf(answered(503), late, policy)
  t.equal(sequel.state, 'retrying')
  if (sequel.state === 'retrying') t.equal(sequel.next.sinceMs, late.notBeforeMs, 'and says so from then on')
  t.equal(sequelOf(answered(503), { ...late, notBeforeMs: NOW_MS - 59_000 }, policy).state, 'expired')
})
