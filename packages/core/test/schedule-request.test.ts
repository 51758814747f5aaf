import t from 'tap'
import { parseSchedule } from '../src/index.js'
import { NOW_MS } from './arbitraries.js'
import { failureOf } from './failure.js'

const instruction = { target: 'http://a/' }

t.test('what a client leaves out is as it is documented', async (t) => {
  const { schedule, ...content } = parseSchedule({ cron: '0 9 * * *', instruction }, NOW_MS)
  const standing = { startAtMs: NOW_MS, missed: 'once', afterMs: NOW_MS, isPaused: false }
  t.strictSame(schedule, { cron: '0 9 * * *', ...standing })
  t.match(content, { target: 'http://a/' })
})

t.test('what a client says is what counts', async (t) => {
  const said = {
    every: '10m',
    startAt: '2026-12-01T00:00:00Z',
    endAt: '2027-12-01T00:00:00Z',
    missed: 'skip',
    instruction: { ...instruction, expiresIn: '1h', timeout: '5s' },
  }
  const { schedule, ...content } = parseSchedule(said, NOW_MS)
  t.strictSame(schedule, {
    everyMs: 600_000,
    startAtMs: Date.parse(said.startAt),
    endAtMs: Date.parse(said.endAt),
    missed: 'skip',
    expiresInMs: 3_600_000,
    afterMs: NOW_MS,
    isPaused: false,
  })
  t.equal(content.timeoutMs, 5_000)
  t.notOk('expiresAtMs' in content, 'it counts from each time')
})

t.test('every wrong field is named', async (t) => {
  const wrong: [object, [pointer: string, code: string][]][] = [
    [{ every: '1h' }, [['/instruction', 'missing-field']]],
    [{ instruction }, [['/cron', 'missing-field']]],
    [{ every: '1h', cron: '* * * * *', instruction }, [['/every', 'conflicting-fields']]],
    [{ every: '1h', timeZone: 'UTC', instruction }, [['/timeZone', 'conflicting-fields']]],
    [{ every: '999ms', instruction }, [['/every', 'invalid-duration']]],
    [{ every: '367d', instruction }, [['/every', 'invalid-duration']]],
    [{ every: 'often', instruction }, [['/every', 'invalid-duration']]],
    [{ cron: '* * * *', instruction }, [['/cron', 'invalid-cron']]],
    [{ cron: '61 * * * *', instruction }, [['/cron', 'invalid-cron']]],
    [{ cron: '2026-01-01T00:00:00', instruction }, [['/cron', 'invalid-cron']]],
    [{ cron: '* * * * * * 2027', instruction }, [['/cron', 'invalid-cron']]],
    [{ cron: '@never', instruction }, [['/cron', 'invalid-cron']]],
    [{ cron: '* '.repeat(200), instruction }, [['/cron', 'invalid-field']]],
    [{ cron: '* * * * *', timeZone: 'Europe/Nowhere', instruction }, [['/timeZone', 'invalid-cron']]],
    [{ cron: '0 0 30 2 *', instruction }, [['/cron', 'invalid-time']]],
    [{ every: '1h', endAt: '2020-01-01T00:00:00Z', instruction }, [['/endAt', 'invalid-time']]],
    [
      { every: '1h', startAt: 'soon', endAt: 'late', instruction },
      [
        ['/startAt', 'invalid-time'],
        ['/endAt', 'invalid-time'],
      ],
    ],
    [{ every: '1h', missed: 'twice', instruction }, [['/missed', 'invalid-field']]],
    [{ every: '1h', sometimes: true, instruction }, [['/sometimes', 'unknown-field']]],
    [{ every: '1h', instruction: { target: 'a' } }, [['/instruction/target', 'invalid-url']]],
    [{ every: '1h', instruction: { ...instruction, method: 'no' } }, [['/instruction/method', 'invalid-method']]],
    [{ every: '1h', instruction: { ...instruction, delay: '1s' } }, [['/instruction/delay', 'conflicting-fields']]],
    [
      { cron: 'x', instruction: { target: 'a' } },
      [
        ['/cron', 'invalid-cron'],
        ['/instruction/target', 'invalid-url'],
      ],
    ],
  ]
  for (const [input, expected] of wrong) {
    const { fields } = failureOf(() => parseSchedule(input, NOW_MS))
    t.strictSame(
      fields.map(({ code, pointer }) => [pointer, code]),
      expected,
      JSON.stringify(input).slice(0, 100),
    )
  }
})
