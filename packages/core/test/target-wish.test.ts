import t from 'tap'
import {
  type Call,
  DEFAULT_RETRY_POLICY,
  decideSequel,
  type Headers,
  type RetryPolicy,
  type Sequel,
} from '../src/index.js'
import { DAY_MS, NOW_MS } from './arbitraries.js'

const call: Call = {
  ...{ id: 'a', generation: 1, attempt: 1, acceptedAtMs: NOW_MS, depth: 0 },
  ...{ target: 'http://a/', method: 'POST', headers: {}, body: new Uint8Array(0) },
}
const steady: RetryPolicy = { ...DEFAULT_RETRY_POLICY, maxAttempts: 3, initialDelayMs: 10_000, jitter: 'none' }

function sequelOf(status: number, headers: Headers, changes: Partial<Call> = {}, policy = steady): Sequel {
  const response = { status, headers, body: new Uint8Array(0), bodyBytes: 0 }
  const outcome = { kind: 'answered', startedAtMs: NOW_MS, durationMs: 1, response } as const
  return decideSequel({ ...call, ...changes }, outcome, policy, NOW_MS, 0)
}

/** After how many seconds there is another attempt. */
function secondsOf(status: number, headers: Headers): number | string {
  const sequel = sequelOf(status, headers)
  return sequel.state === 'retrying' ? (sequel.dueMs - NOW_MS) / 1_000 : sequel.state
}

const after = (value: string | string[]): Headers => ({ 'retry-after': value })
const wish = (value: string): Headers => ({ 'posthaste-retry': value })
const inSeconds = (seconds: number): string => new Date(NOW_MS + seconds * 1_000).toUTCString()

t.test('Retry-After puts the next attempt off, and never brings it forward', async (t) => {
  t.equal(secondsOf(429, after('60')), 60)
  t.equal(secondsOf(503, after(inSeconds(90))), 90)
  t.equal(secondsOf(503, after([' 60 ', '5'])), 60, 'the first of several')
  t.equal(secondsOf(503, after('9')), 10)
  t.equal(secondsOf(503, after(inSeconds(-60))), 10, 'a time that is past')
  for (const unreadable of ['-5', '1.5', 'soon', '', '10s', '2026-06-01T12:01:00Z'])
    t.equal(secondsOf(503, after(unreadable)), 10, unreadable)
  t.equal(secondsOf(400, after('60')), 'failed', 'what is not tried again is not')
  t.equal(secondsOf(201, after('60')), 'succeeded')
})

t.test('Retry-After is not cut short: beyond the age nothing is called', async (t) => {
  const day = DAY_MS / 1_000
  t.equal(secondsOf(503, after(String(day - 1))), day - 1)
  for (const late of [String(day), '9'.repeat(400), inSeconds(2 * day)]) t.equal(secondsOf(503, after(late)), 'expired')
  t.equal(sequelOf(503, after('60'), { expiresAtMs: NOW_MS + 60_000 }).state, 'expired')
  t.equal(sequelOf(503, after('60'), { expiresAtMs: NOW_MS + 60_001 }).state, 'retrying')
})

t.test('a target can end it', async (t) => {
  for (const no of ['no', 'NO', ' no ']) t.equal(secondsOf(503, wish(no)), 'failed', no)
  t.equal(secondsOf(200, wish('no')), 'succeeded')
})

t.test('a target can ask for another attempt, whatever it answers', async (t) => {
  for (const status of [200, 204, 302, 400, 404, 501, 503]) {
    t.equal(secondsOf(status, wish('yes')), 10, String(status))
    t.equal(secondsOf(status, wish('10m')), 600)
    t.equal(secondsOf(status, wish('PT10M')), 600)
    t.equal(secondsOf(status, wish('2.5')), 2.5)
    t.equal(secondsOf(status, wish('0')), 0)
    t.equal(secondsOf(status, { ...wish('5s'), ...after('7') }), 7, 'the later of both')
    t.equal(secondsOf(status, { ...wish('yes'), ...after('70') }), 70)
  }
  for (const unreadable of ['', 'maybe', '-1', '1..5', '.5', '10 m']) {
    t.equal(secondsOf(503, wish(unreadable)), 10, unreadable)
    t.equal(secondsOf(404, wish(unreadable)), 'failed', unreadable)
  }
})

t.test('what was asked for is told', async (t) => {
  t.match(sequelOf(200, wish('yes')), { failure: { code: 'asked-again', detail: /answered 200/ } })
  t.match(sequelOf(404, wish('yes')), { failure: { code: 'status', detail: /answered 404/ } })
})

t.test('a wish is granted within attempts and age', async (t) => {
  for (const headers of [wish('yes'), wish('2d')]) {
    t.equal(sequelOf(404, headers, { attempt: 3 }).state, 'failed')
    t.equal(sequelOf(200, headers, { attempt: 3 }).state, 'succeeded', 'what has succeeded has, then')
  }
  t.equal(sequelOf(404, wish('2d')).state, 'expired')
  t.strictSame(sequelOf(200, wish('2d')), { state: 'succeeded' })
})
