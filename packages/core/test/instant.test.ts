import fc from 'fast-check'
import t from 'tap'
import { formatInstant, parseInstant } from '../src/index.js'
import { holds } from './property.js'

const readable: [string, string][] = [
  ['2026-12-24T18:00:00Z', '2026-12-24T18:00:00.000Z'],
  ['2026-12-24t18:00:00z', '2026-12-24T18:00:00.000Z'],
  ['2026-12-24 18:00:00Z', '2026-12-24T18:00:00.000Z'],
  ['2026-12-24T18:00:00+02:00', '2026-12-24T16:00:00.000Z'],
  ['2026-12-31T23:30:00-01:30', '2027-01-01T01:00:00.000Z'],
  ['2026-12-24T18:00:00-00:00', '2026-12-24T18:00:00.000Z'],
  ['2026-12-24T18:00:00.5Z', '2026-12-24T18:00:00.500Z'],
  ['2026-12-24T18:00:00.123000Z', '2026-12-24T18:00:00.123Z'],
  ['2026-12-24T18:00:00.123000001Z', '2026-12-24T18:00:00.124Z'],
  ['2026-12-24T18:00:00.9991Z', '2026-12-24T18:00:01.000Z'],
  ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000Z'],
  ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
  ['1969-12-31T23:59:59.9999Z', '1970-01-01T00:00:00.000Z'],
  ['0000-01-01T00:00:00Z', '0000-01-01T00:00:00.000Z'],
  ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
]

const unreadable = [
  ...[
    '',
    'now',
    '2026-12-24',
    '18:00:00Z',
    '2026-12-24T18:00:00',
    '2026-12-24T18:00Z',
    '1766599200000',
    '20261224T180000Z',
  ],
  ...['2026-02-30T00:00:00Z', '2026-02-29T00:00:00Z', '2100-02-29T00:00:00Z', '2026-04-31T00:00:00Z'],
  ...['2026-00-01T00:00:00Z', '2026-13-01T00:00:00Z', '2026-01-00T00:00:00Z', '2026-01-32T00:00:00Z'],
  ...['2026-01-01T25:00:00Z', '2026-01-01T24:00:00Z', '2026-01-01T00:60:00Z', '2026-01-01T00:00:61Z'],
  ...['2026-01-01T00:00:00+24:00', '2026-01-01T00:00:00+01:60', '2026-01-01T00:00:00+0100', '2026-01-01T00:00:00.Z'],
  ...[' 2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z\n', '+002026-01-01T00:00:00Z', '-2026-01-01T00:00:00Z'],
  // Beyond the years that four digits can say once it is in UTC.
  ...['9999-12-31T23:59:59-00:01', '9999-12-31T23:59:59.9999Z', '0000-01-01T00:00:00+00:01'],
]

t.test('RFC 3339 is read, and rounded up to a millisecond', async (t) => {
  for (const [text, utc] of readable) t.equal(parseInstant(text), Date.parse(utc), text)
})

t.test('what is no date-time is undefined', async (t) => {
  for (const text of unreadable) t.equal(parseInstant(text), undefined, JSON.stringify(text))
})

const anyMs = fc.integer({ min: Date.parse('0000-01-01T00:00:00Z'), max: Date.parse('9999-12-31T23:59:59.999Z') })

t.test('what was written is read as the same', async (t) => {
  holds(t, 'any time in four-digit years', 2_000, anyMs, (ms) => {
    if (parseInstant(formatInstant(ms)) !== ms) throw new Error(formatInstant(ms))
  })
})

t.test('nothing is read as earlier than the text says', async (t) => {
  const seconds = fc.integer({ min: -62_000_000_000, max: 253_000_000_000 })
  const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 9 }).map((list) => list.join(''))
  const minutes = fc.integer({ min: -1439, max: 1439 })
  holds(t, 'any fraction and offset', 3_000, fc.tuple(seconds, digits, minutes), ([second, fraction, offset]) => {
    const local = new Date((second + offset * 60) * 1000).toISOString().slice(0, 19)
    const size = Math.abs(offset)
    const clock = `${String(Math.trunc(size / 60)).padStart(2, '0')}:${String(size % 60).padStart(2, '0')}`
    const text = `${local}.${fraction}${offset < 0 ? '-' : '+'}${clock}`
    const exactNs = BigInt(second) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'))
    const ms = parseInstant(text)
    if (ms === undefined) throw new Error(`${text} was not read`)
    const lateNs = BigInt(ms) * 1_000_000n - exactNs
    if (lateNs < 0n || lateNs >= 1_000_000n) throw new Error(`${text} was read ${lateNs} ns late`)
  })
})
