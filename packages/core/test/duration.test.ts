import fc from 'fast-check'
import t from 'tap'
import { formatDuration, parseDuration } from '../src/index.js'
import { holds } from './property.js'

const readable: [string, number][] = [
  ['0ms', 0],
  ['250ms', 250],
  ['10s', 10_000],
  ['10m', 600_000],
  ['2h', 7_200_000],
  ['7d', 604_800_000],
  ['1.5h', 5_400_000],
  ['0.25s', 250],
  ['1.6ms', 2],
  ['PT10M', 600_000],
  ['PT0S', 0],
  ['PT1.5S', 1_500],
  ['P1D', 86_400_000],
  ['P2W', 1_209_600_000],
  ['P1DT2H3M4S', 93_784_000],
]

const unreadable = [
  ...['', '10', 's', ' 10s', '10s ', '10 s', '10S', '10sec', '-1s', '+1s', '1,5s', '.5s', '1.s', '1e3s', '1h30m', '١s'],
  ...['P', 'PT', 'P1', 'P1DT', 'P1Y', 'P1M', 'PT1D', 'P1H', '-PT1S', 'PT-1S', 'pt1s', 'PT1S2M', 'PT1.5M', 'P0.5D'],
  '10s\n',
  `${'9'.repeat(16)}ms`,
]

t.test('durations are read to milliseconds', async (t) => {
  for (const [text, ms] of readable) t.equal(parseDuration(text), ms, text)
})

t.test('what is no duration is undefined', async (t) => {
  for (const text of unreadable) t.equal(parseDuration(text), undefined, JSON.stringify(text))
})

t.test('durations are written as short as can be', async (t) => {
  const written: [number, string][] = [
    [0, '0ms'],
    [999, '999ms'],
    [1_000, '1s'],
    [1_001, '1001ms'],
    [90_000, '90s'],
    [3_600_000, '1h'],
    [86_400_000, '1d'],
    [90_000_000, '25h'],
  ]
  for (const [ms, text] of written) t.equal(formatDuration(ms), text, text)
})

t.test('what was written is read as the same', async (t) => {
  holds(t, 'any whole number of milliseconds', 2_000, fc.integer({ min: 0, max: 999_999_999_999_999 }), (ms) => {
    if (parseDuration(formatDuration(ms)) !== ms) throw new Error(formatDuration(ms))
  })
  holds(t, 'any whole number of minutes', 500, fc.integer({ min: 0, max: 1_000_000 }), (minutes) => {
    if (parseDuration(formatDuration(minutes * 60_000)) !== minutes * 60_000) throw new Error(formatDuration(minutes))
  })
})
