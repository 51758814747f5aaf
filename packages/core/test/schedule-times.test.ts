import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { lastTimeMs, nextTimeMs, type Timing, timesAfter } from '../src/index.js'
import { holds } from './property.js'

const at = (text: string): number => Date.parse(text)
const HOUR_MS = 3_600_000
const START_MS = at('2020-01-01T00:00:00Z')

/** The times of an expression from a moment on, in UTC, without what they have in common. */
function timesOf(cron: string, timeZone: string | undefined, from: string, count: number): string[] {
  const timing = { cron, startAtMs: START_MS, ...(timeZone !== undefined && { timeZone }) }
  return timesAfter(timing, at(from), count).map((ms) => new Date(ms).toISOString().slice(5, -8).replace('T', ' '))
}

t.test('expressions of five fields and of six, by the clock of a place', async (t) => {
  t.strictSame(timesOf('0 9 * * MON-FRI', undefined, '2026-06-05T09:00:00Z', 2), ['06-08 09:00', '06-09 09:00'])
  t.strictSame(timesOf('0 9 * * *', 'Europe/Berlin', '2026-06-05T00:00:00Z', 2), ['06-05 07:00', '06-06 07:00'])
  t.strictSame(timesOf('30 0 9 1 * *', undefined, '2026-06-05T00:00:00Z', 2), ['07-01 09:00', '08-01 09:00'])
  t.strictSame(timesOf('@daily', 'Asia/Kolkata', '2026-06-05T00:00:00Z', 1), ['06-05 18:30'])
  t.strictSame(timesOf('0 0 29 2 *', undefined, '2026-01-01T00:00:00Z', 1), ['02-29 00:00'])
  const seconds = { cron: '* * * * * *', startAtMs: START_MS }
  t.equal(nextTimeMs(seconds, at('2026-01-01T00:00:00.000Z')), at('2026-01-01T00:00:01Z'))
  t.equal(nextTimeMs(seconds, at('2026-01-01T00:00:00.999Z')), at('2026-01-01T00:00:01Z'))
})

t.test('what a field may say', async (t) => {
  // 1 June 2026 is a Monday.
  const days = (cron: string, count: number): string[] =>
    timesOf(`0 0 ${cron}`, undefined, '2026-06-01T12:00:00Z', count).map((time) => time.slice(0, 5))
  t.strictSame(days('* * 0', 1), ['06-07'])
  t.strictSame(days('* * 7', 1), ['06-07'])
  t.strictSame(days('* * SAT,SUN', 3), ['06-06', '06-07', '06-13'])
  t.strictSame(days('* * 5#2', 2), ['06-12', '07-10'])
  t.strictSame(days('* * 5L', 2), ['06-26', '07-31'])
  t.strictSame(days('L * *', 2), ['06-30', '07-31'])
  t.strictSame(days('8-12/2 JUN *', 4), ['06-08', '06-10', '06-12', '06-08'])
  t.strictSame(days('9 * MON', 3), ['06-08', '06-09', '06-15'], 'of day and weekday either is enough')
})

t.test('a time that does not exist comes right after the gap where all times of day are named', async (t) => {
  // In Berlin 02:00 to 03:00 is left out on 29 March: 03:00 is 01:00 UTC.
  const from = '2026-03-28T12:00:00Z'
  t.strictSame(timesOf('30 2 * * *', 'Europe/Berlin', from, 2), ['03-29 01:00', '03-30 00:30'])
  t.strictSame(timesOf('30 2,14 * * *', 'Europe/Berlin', from, 3), ['03-28 13:30', '03-29 01:00', '03-29 12:30'])
})

t.test('and does not come where an expression follows the clock', async (t) => {
  const from = '2026-03-29T00:00:00Z'
  t.strictSame(timesOf('*/30 * * * *', 'Europe/Berlin', from, 3), ['03-29 00:30', '03-29 01:00', '03-29 01:30'])
  t.strictSame(timesOf('0 */2 * * *', 'Europe/Berlin', '2026-03-28T22:30:00Z', 2), ['03-28 23:00', '03-29 02:00'])
})

t.test('a time that comes twice is one where all times of day are named, and else two', async (t) => {
  // In Berlin 02:00 to 03:00 comes twice on 25 October: from 00:00 and from 01:00 UTC.
  const from = '2026-10-24T23:30:00Z'
  t.strictSame(timesOf('30 2 * * *', 'Europe/Berlin', from, 2), ['10-25 00:30', '10-26 01:30'])
  t.strictSame(timesOf('30 2 * * *', 'Europe/Berlin', '2026-10-25T00:45:00Z', 1), ['10-26 01:30'], 'asked in between')
  const halves = ['10-25 00:00', '10-25 00:30', '10-25 01:00', '10-25 01:30', '10-25 02:00']
  t.strictSame(timesOf('*/30 * * * *', 'Europe/Berlin', from, 5), halves)
})

t.test('intervals count from the start, whatever the clock does', async (t) => {
  const timing = { everyMs: 90_000, startAtMs: at('2026-01-01T00:00:10Z'), endAtMs: at('2026-01-01T00:04:40Z') }
  t.equal(nextTimeMs(timing, 0), timing.startAtMs, 'the start is the first')
  t.equal(nextTimeMs(timing, timing.startAtMs - 1), timing.startAtMs)
  t.equal(nextTimeMs(timing, timing.startAtMs), timing.startAtMs + 90_000)
  t.strictSame(
    timesAfter(timing, 0, 100),
    [0, 1, 2, 3].map((n) => timing.startAtMs + n * 90_000),
    'the end belongs to it',
  )
  t.equal(nextTimeMs(timing, timing.endAtMs), undefined)
})

t.test('there is none before the start or after the end', async (t) => {
  const timing = { cron: '0 * * * *', startAtMs: at('2026-01-01T12:00:00Z'), endAtMs: at('2026-01-01T14:00:00Z') }
  t.strictSame(
    timesAfter(timing, 0, 9),
    [12, 13, 14].map((hour) => at(`2026-01-01T${hour}:00:00Z`)),
  )
  t.equal(nextTimeMs({ cron: '0 0 30 2 *', startAtMs: START_MS }, START_MS), undefined, 'no February has 30 days')
})

const anyTiming: fc.Arbitrary<Timing> = fc.oneof(
  fc.record({
    cron: fc.constantFrom('30 2 * * *', '*/7 * * * *', '0 */2 * * *', '15 1-3 * * *', '59 59 2,3 * * *', '@hourly'),
    timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'America/Sao_Paulo'),
    startAtMs: fc.constant(START_MS),
  }),
  fc.record({ everyMs: fc.integer({ min: 1_000, max: 10 * HOUR_MS }), startAtMs: fc.constant(START_MS) }),
)
/** About the days on which clocks change somewhere. */
const anyMoment = fc
  .tuple(
    fc.constantFrom('2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z', '2026-03-08T05:30:00Z', '2026-04-04T15:00:00Z'),
    fc.integer({ min: -30 * HOUR_MS, max: 30 * HOUR_MS }),
  )
  .map(([day, ms]) => at(day) + ms)

t.test('whenever it is asked, the next time is the same one until that has come', async (t) => {
  holds(t, 'next', 1_000, fc.tuple(anyTiming, anyMoment, fc.double({ min: 0, max: 1, noNaN: true })), (values) => {
    const [timing, fromMs, share] = values
    const [firstMs = 0, secondMs = 0] = timesAfter(timing, fromMs, 2)
    assert.ok(fromMs < firstMs && firstMs < secondMs)
    const between = Math.floor(firstMs + share * (secondMs - firstMs - 1))
    assert.equal(nextTimeMs(timing, between), secondMs)
  })
})

t.test('the last time is the one that counting finds', async (t) => {
  const spans = fc.integer({ min: 0, max: 20 * HOUR_MS })
  holds(t, 'last', 300, fc.tuple(anyTiming, anyMoment, spans), ([timing, fromMs, spanMs]) => {
    const firstMs = nextTimeMs(timing, fromMs) ?? 0
    const untilMs = firstMs + Math.min(spanMs, 1_000 * ((timing.everyMs ?? HOUR_MS) / 10))
    let expected = firstMs
    for (let ms: number | undefined = firstMs; ms !== undefined && ms <= untilMs; ms = nextTimeMs(timing, ms))
      expected = ms
    assert.equal(lastTimeMs(timing, firstMs, untilMs), expected)
  })
})
