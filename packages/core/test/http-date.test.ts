import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { parseHttpDate } from '../src/http-date.js'
import { NOW_MS } from './arbitraries.js'
import { holds } from './property.js'

const AT_MS = Date.parse('1994-11-06T08:49:37Z')

t.test('the three forms of RFC 9110', async (t) => {
  const forms = ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']
  for (const text of forms) t.equal(parseHttpDate(text, NOW_MS), AT_MS, text)
})

t.test('any second', async (t) => {
  const instant = fc.integer({ min: 0, max: Date.parse('9999-12-31T23:59:59Z') / 1_000 })
  holds(t, 'as it is written', 1_000, instant, (seconds) => {
    const text = new Date(seconds * 1_000).toUTCString()
    assert.equal(parseHttpDate(text, NOW_MS), seconds * 1_000, text)
  })
})

t.test('two digits of a year are of the last fifty years, or of the next', async (t) => {
  const yearOf = (digits: string): number =>
    new Date(parseHttpDate(`Monday, 01-Jan-${digits} 00:00:00 GMT`, NOW_MS) ?? 0).getUTCFullYear()
  t.strictSame(['26', '27', '76', '77', '99', '00'].map(yearOf), [2026, 2027, 2076, 1977, 1999, 2000])
})

t.test('what is no date', async (t) => {
  const texts = [
    ...['', 'soon', '2026-06-01T12:00:00Z', 'Sun, 06 Nov 1994 08:49:37', 'Sun, 06 Nov 1994 08:49:37 CET'],
    ...['Sun, 6 Nov 1994 08:49:37 GMT', 'Sun, 30 Feb 2026 08:49:37 GMT', 'Sun, 06 Foo 1994 08:49:37 GMT'],
    ...['Sun, 06 Nov 1994 24:00:00 GMT', 'Sun, 06 Nov 1994 08:60:00 GMT', 'Sun, 06 Nov 1994 08:49:61 GMT'],
    ...['sun, 06 nov 1994 08:49:37 gmt', ' Sun, 06 Nov 1994 08:49:37 GMT'],
  ]
  for (const text of texts) t.equal(parseHttpDate(text, NOW_MS), undefined, text)
})
