import assert from 'node:assert/strict'
import t from 'tap'
import { type Call, decodeCall, encodeCall, LIMITS, type RecordOrigin } from '../src/index.js'
import { DAY_MS, NOW_MS, plain, validCall } from './arbitraries.js'
import { failureOf } from './failure.js'
import { holds } from './property.js'

const origin: RecordOrigin = { log: 'calls', partition: 3, offset: 42, appendedAtMs: NOW_MS }
const target = 'https://api.example.com/resize'
const bytesOf = (text: string): Uint8Array => Buffer.from(text)
const decode = (text: string, at = origin) => decodeCall(bytesOf(text), at)

const least: Call = {
  id: '0190a5a0-0000-7000-8000-000000000000',
  generation: 1,
  attempt: 1,
  acceptedAtMs: NOW_MS,
  depth: 0,
  target,
  method: 'POST',
  headers: {},
  body: new Uint8Array(0),
}

t.test('any call comes back as it was', async (t) => {
  holds(t, 'round trip', 2_000, validCall, (call) => {
    const { call: read, settled } = decodeCall(encodeCall(call), origin)
    assert.deepEqual(plain(read), plain(call))
    assert.equal(settled, true)
    assert.deepEqual(encodeCall(read), encodeCall(call))
  })
})

t.test('a record is a line of JSON and the body', async (t) => {
  const record = encodeCall({ ...least, body: bytesOf('{\n}\n'), timeoutMs: 1_500, retry: { initialDelayMs: 0 } })
  t.equal(
    String(record),
    `{"v":1,"id":"${least.id}","acceptedAt":"2026-06-01T12:00:00.000Z","target":"${target}","method":"POST",` +
      '"headers":{},"timeout":"1500ms","retry":{"initialDelay":"0ms"},"bodyBytes":4}\n{\n}\n',
  )
})

t.test('the body is no copy', async (t) => {
  const record = encodeCall({ ...least, body: bytesOf('body') })
  t.equal(decodeCall(record, origin).call.body.buffer, record.buffer)
  const within = Buffer.concat([Buffer.from('before'), record, Buffer.from('behind')]).subarray(6, 6 + record.length)
  t.equal(String(decodeCall(within, origin).call.body), 'body')
})

const document = { target, body: 'ä\n', forwardTo: 'http://b/' }
const line = JSON.stringify(document)
const counted = `{"target":"${target}","bodyBytes":3}`
const layouts: [string, string, string, string | undefined][] = [
  ['pretty printed', JSON.stringify(document, null, 2), 'ä\n', 'text/plain; charset=utf-8'],
  ['pretty printed, with a newline', `${JSON.stringify(document, null, '\t')}\n`, 'ä\n', 'text/plain; charset=utf-8'],
  [
    'pretty printed with CRLF',
    JSON.stringify(document, null, 2).replaceAll('\n', '\r\n'),
    'ä\n',
    'text/plain; charset=utf-8',
  ],
  ['blank lines around', `\n\n${line}\n\n`, 'ä\n', 'text/plain; charset=utf-8'],
  ['one line', line, 'ä\n', 'text/plain; charset=utf-8'],
  ['one line with a newline', `${line}\n`, 'ä\n', 'text/plain; charset=utf-8'],
  ['one line with CRLF', `${line}\r\n`, 'ä\n', 'text/plain; charset=utf-8'],
  ['raw bytes', `${counted}\n{\n}`, '{\n}', undefined],
  ['raw bytes behind CRLF', `${counted}\r\n\r\n\n`, '\r\n\n', undefined],
  ['no raw bytes', `{"target":"${target}","bodyBytes":0}\n`, '', undefined],
  ['no raw bytes and no newline', `{"target":"${target}","bodyBytes":0}`, '', undefined],
  ['no body', `{"target":"${target}"}`, '', undefined],
]

t.test('what other producers write is read in any layout', async (t) => {
  for (const [name, text, body, type] of layouts) {
    const { call, settled } = decode(text)
    t.match(call, { target, method: 'POST', generation: 1, attempt: 1, depth: 0, acceptedAtMs: NOW_MS }, name)
    t.equal(String(call.body), body, name)
    t.equal(call.headers['content-type'], type)
    t.equal(settled, false)
  }
})

t.test('without an id there is one that follows from the position', async (t) => {
  const idAt = (at: Partial<RecordOrigin>): string => decode(line, { ...origin, ...at }).call.id
  t.equal(idAt({}), idAt({}))
  const ids = [idAt({}), idAt({ offset: 43 }), idAt({ partition: 4 }), idAt({ log: 'other' })]
  t.equal(new Set(ids).size, ids.length)
  t.doesNotThrow(() => encodeCall(decode(line, { ...origin, appendedAtMs: -1 }).call), 'a broker without a clock')
})

t.test('relative times count from when the stream took the record', async (t) => {
  const { call } = decode(`{"target":"${target}","delay":"10m","expiresIn":"1h","acceptedAt":"2026-01-01T00:00:00Z"}`)
  t.match(call, { notBeforeMs: NOW_MS + 600_000, expiresAtMs: NOW_MS + 3_600_000 })
  t.equal(call.acceptedAtMs, Date.parse('2026-01-01T00:00:00Z'))
})

t.test('settled is what says the same wherever it stands', async (t) => {
  const settled = (fields: object): boolean => decode(JSON.stringify({ target, ...fields })).settled
  const identity = { id: 'a', acceptedAt: '2026-06-01T12:00:00Z' }
  t.equal(settled(identity), true)
  t.equal(settled({ ...identity, notBefore: '2026-06-02T12:00:00Z', expiresAt: '2026-06-03T12:00:00Z' }), true)
  t.equal(settled({ id: 'a' }), false)
  t.equal(settled({ acceptedAt: '2026-06-01T12:00:00Z' }), false)
  t.equal(settled({ ...identity, delay: '1s' }), false)
  t.equal(settled({ ...identity, expiresIn: '1s' }), false)
})

t.test('unknown fields are ignored', async (t) => {
  const text = JSON.stringify({ target, v: 1, newer: { a: 1 }, retry: { maxAttempts: 2, budget: 5 } })
  t.strictSame(decode(text.replace('{', '{"__proto__":{"method":"GET"},')).call.retry, { maxAttempts: 2 })
  t.equal(decode(text.replace('{', '{"__proto__":{"method":"GET"},')).call.method, 'POST')
  t.notOk('newer' in decode(text).call)
})

t.test('that nothing was answered is left out', async (t) => {
  const text = JSON.stringify({ target, answered: 0 })
  t.notOk('answered' in decode(text).call)
})

t.test('a record may carry headers that a client may not', async (t) => {
  t.equal(decode(JSON.stringify({ target, headers: { 'Posthaste-Id': 'a' } })).call.headers['posthaste-id'], 'a')
})

t.test('a newer version is told apart from what cannot be read', async (t) => {
  for (const v of ['2', '1.5', '1e999']) {
    t.equal(failureOf(() => decode(`{"v":${v},"target":5}`)).code, 'record-version', v)
  }
  for (const v of ['0', '"2"', 'null'])
    t.equal(failureOf(() => decode(`{"v":${v},"target":"${target}"}`)).code, 'record-unreadable', v)
})

const unreadable: [string, string][] = [
  ['nothing', ''],
  ['a newline', '\n'],
  ['text', 'hello'],
  ['a list', '[]'],
  ['null', 'null'],
  ['half a line', line.slice(0, -1)],
  ['two documents', `${line}\n${line}\n`],
  ['bytes that nobody counted', `${line}\nabc`],
  ['too few bytes', `${counted}\nab`],
  ['too many bytes', `${counted}\nabc\n`],
  ['no bytes', `${counted}\n`],
  ['no bytes and no newline', counted],
  ['a count behind the first line', counted.replace('{', '{\n')],
  ['a negative count', `{"target":"${target}","bodyBytes":-1}\n`],
  ['a count that is text', `{"target":"${target}","bodyBytes":"3"}\n`],
  ['two bodies', `{"target":"${target}","body":"a","bodyBytes":1}\na`],
  ['no target', '{}'],
  ['a relative target', '{"target":"/a"}'],
  ['an id that is unsafe', `{"target":"${target}","id":"a/b"}`],
  ['a parent that is unsafe', `{"target":"${target}","parent":"a b"}`],
  ['a time that is none', `{"target":"${target}","acceptedAt":"now"}`],
  ['a time that cannot be written again', `{"target":"${target}","acceptedAt":"9999-12-31T23:59:59-01:00"}`],
  ['a generation of 0', `{"target":"${target}","generation":0}`],
  ['an attempt of 0', `{"target":"${target}","attempt":0}`],
  ['an attempt of a milliard', `{"target":"${target}","attempt":1000000000}`],
  ['a header with a line break', `{"target":"${target}","headers":{"a":"\\n"}}`],
  ['a header of the connection', `{"target":"${target}","headers":{"host":"a"}}`],
  ['a body nested too deeply', `{"target":"${target}","body":${'['.repeat(200_000)}${']'.repeat(200_000)}}`],
]

t.test('what cannot be read is said to be', async (t) => {
  for (const [name, text] of unreadable) t.equal(failureOf(() => decode(text)).code, 'record-unreadable', name)
  t.match(failureOf(() => decode('{"target":"/a","timeout":"b"}')).fields, [
    { pointer: '/target' },
    { pointer: '/timeout' },
  ])
})

t.test('what was accepted at the limit can be read, though the stream is behind', async (t) => {
  const furthest = { ...least, notBeforeMs: NOW_MS + LIMITS.delayMsMax }
  const behind = { ...origin, appendedAtMs: NOW_MS - DAY_MS }
  t.equal(decodeCall(encodeCall(furthest), behind).call.notBeforeMs, furthest.notBeforeMs)
  t.equal(
    failureOf(() => decode(`{"target":"${target}","notBefore":"2027-06-02T12:00:00.001Z"}`)).code,
    'record-unreadable',
  )
  const retried = { ...least, acceptedAtMs: NOW_MS - LIMITS.delayMsMax, notBeforeMs: NOW_MS + 7 * DAY_MS }
  t.equal(decodeCall(encodeCall(retried), origin).call.notBeforeMs, retried.notBeforeMs)
  const moved = { ...least, move: 7, notBeforeMs: NOW_MS + LIMITS.delayMsMax + DAY_MS }
  t.equal(
    decodeCall(encodeCall(moved), origin).call.notBeforeMs,
    moved.notBeforeMs,
    'it was in range when it was moved',
  )
})
