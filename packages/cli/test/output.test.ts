import { PassThrough } from 'node:stream'
import t from 'tap'
import { fromNow, localTime } from '../src/moment.js'
import { Output, plain } from '../src/output.js'
import { Table } from '../src/table.js'

/** A stream that says whether it is a terminal, and what was written. */
function stream(isTTY: boolean) {
  const through = Object.assign(new PassThrough(), { isTTY })
  return Object.assign(through, { text: () => String(through.read() ?? '') })
}

t.test('words are for terminals, JSON for whatever else, unless it is said', async (t) => {
  for (const [given, isTTY, isJson] of [
    [undefined, true, false],
    [undefined, false, true],
    [true, true, true],
    [false, false, false],
  ] as const) {
    const stdout = stream(isTTY)
    const output = new Output(given, { stdout, stderr: stream(isTTY) })
    t.equal(output.isJson, isJson)
    await output.show({ a: 1 }, () => 'words')
    t.equal(stdout.text(), isJson ? '{"a":1}\n' : 'words\n')
  }
})

t.test('progress is for terminals, in one line', (t) => {
  for (const isTTY of [true, false]) {
    const stderr = stream(isTTY)
    const output = new Output(true, { stdout: stream(false), stderr })
    output.progress('1 done')
    output.progress('2 done')
    output.progress('')
    output.note('Well.')
    t.equal(stderr.text(), isTTY ? '\r\x1b[K1 done\r\x1b[K2 done\r\x1b[KWell.\n' : 'Well.\n')
  }
  t.end()
})

t.test('no text steers a terminal', (t) => {
  t.equal(plain('a\x1b]0;b\x07\r\t\x9b\x7fé\nc'), 'a?]0;b?????é\nc')
  t.end()
})

t.test('pages of a table stand below each other', (t) => {
  const table = new Table(['A', 'BC', 'D'])
  t.equal(table.lines([['long', '', '1']]), 'A     BC  D\nlong      1')
  t.equal(table.lines([['', 'wide', '2']]), '      wide  2')
  t.equal(table.lines([['a', 'b', '']]), 'a     b')
  t.end()
})

t.test('times are told from now', (t) => {
  const nowMs = Date.parse('2026-01-02T03:04:05.678Z')
  const expected: [number, string][] = [
    [0, 'now'],
    [-999, 'now'],
    [1_000, 'in 1s'],
    [-119_999, '119s ago'],
    [120_000, 'in 2m'],
    [-7_199_999, '119m ago'],
    [7_200_000, 'in 2h'],
    [-172_800_000, '2d ago'],
    [366 * 86_400_000, 'in 366d'],
  ]
  for (const [ms, text] of expected) t.equal(fromNow(new Date(nowMs + ms).toISOString(), nowMs), text)
  process.env.TZ = 'Asia/Kathmandu'
  t.equal(localTime('2026-01-02T03:04:06.678Z', nowMs), '2026-01-02 08:49:06 (in 1s)')
  t.end()
})
