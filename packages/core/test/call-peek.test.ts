import fc from 'fast-check'
import t from 'tap'
import type { Call } from '../src/index.js'
import { encodeCall, expiryMsOf, peekExpiryMs } from '../src/index.js'

const NOW_MS = Date.parse('2026-11-21T12:00:00Z')
const DAY_MS = 86_400_000
const call: Call = {
  id: 'a',
  generation: 1,
  attempt: 1,
  acceptedAtMs: NOW_MS - 1_000,
  depth: 0,
  target: 'http://127.0.0.1/',
  method: 'POST',
  headers: {},
  body: Buffer.from('{"expiresAt":"2000-01-01T00:00:00Z"}'),
}

t.test('it reads what the whole record says', async () => {
  const offset = fc.option(fc.integer({ min: -DAY_MS, max: DAY_MS }), { nil: undefined })
  const attempt = fc.integer({ min: 1, max: 100 })
  const times = fc.record({ attempt, since: offset, notBefore: offset, expires: offset, maxAge: offset })
  fc.assert(
    fc.property(times, ({ attempt, expires, maxAge, notBefore, since }) => {
      const one: Call = {
        ...call,
        attempt,
        ...(since !== undefined && { sinceMs: NOW_MS + since }),
        ...(notBefore !== undefined && { notBeforeMs: NOW_MS + notBefore }),
        ...(expires !== undefined && { expiresAtMs: NOW_MS + expires }),
        ...(maxAge !== undefined && { retry: { maxAgeMs: Math.abs(maxAge) + 1 } }),
      }
      const expiryMs = expiryMsOf(one, one.retry?.maxAgeMs ?? DAY_MS)
      const isNow = expiryMs > NOW_MS && (notBefore ?? 0) <= 0
      return peekExpiryMs(encodeCall(one), DAY_MS, NOW_MS) === (isNow ? expiryMs : undefined)
    }),
  )
})

t.test('neither a body nor a header passes for a time', async (t) => {
  const whole = NOW_MS - 1_000 + DAY_MS
  t.equal(peekExpiryMs(encodeCall(call), DAY_MS, NOW_MS), whole)
  const headers = { since: '2000-01-01T00:00:00Z', 'x-expires': '"expiresAt":"2000-01-01T00:00:00Z"' }
  const sinceMs = NOW_MS - 5_000
  const again = encodeCall({ ...call, headers, attempt: 2, sinceMs, notBeforeMs: NOW_MS })
  t.equal(peekExpiryMs(again, DAY_MS, NOW_MS), sinceMs + DAY_MS)
})
