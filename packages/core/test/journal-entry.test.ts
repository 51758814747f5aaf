import assert from 'node:assert/strict'
import t from 'tap'
import {
  decodeJournalEntry,
  encodeJournalEntry,
  type Headers,
  type JournalEntry,
  journalEntryOf,
  type Outcome,
} from '../src/index.js'
import { NOW_MS, plain, validJournalEntry } from './arbitraries.js'
import { failureOf } from './failure.js'
import { holds } from './property.js'

const call = {
  id: 'order-42',
  generation: 2,
  attempt: 3,
  acceptedAtMs: NOW_MS,
  parent: 'order-41',
  depth: 1,
  target: 'http://a/',
  method: 'PUT',
  headers: {},
  body: Buffer.from('secret'),
  correlationId: 'c',
}

const answered = (headers: Headers, body = 'hello'): Outcome => ({
  kind: 'answered',
  startedAtMs: NOW_MS + 1,
  durationMs: 2.5,
  response: { status: 200, headers, body: Buffer.from(body), bodyBytes: body.length },
})
const keptOf = (headers: Headers): Headers => {
  const entry = journalEntryOf(call, { atMs: NOW_MS, state: 'succeeded' }, answered(headers))
  return entry.response?.headers ?? {}
}

t.test('any entry comes back as it was', async (t) => {
  holds(t, 'round trip', 1_000, validJournalEntry, (entry) => {
    assert.deepEqual(plain(decodeJournalEntry(encodeJournalEntry(entry))), plain(entry))
  })
})

t.test('an answer is kept with its body', async (t) => {
  const entry = journalEntryOf(call, { atMs: NOW_MS + 9, state: 'succeeded' }, answered({ a: '1', b: ['2', '3'] }))
  t.strictSame(
    plain(entry),
    plain({
      ...{ id: 'order-42', generation: 2, attempt: 3, atMs: NOW_MS + 9, state: 'succeeded', acceptedAtMs: NOW_MS },
      ...{ target: 'http://a/', method: 'PUT', correlationId: 'c', parent: 'order-41' },
      ...{ startedAtMs: NOW_MS + 1, durationMs: 2.5 },
      response: { status: 200, headers: { a: '1', b: ['2', '3'] }, bodyBytes: 5 },
      responseBody: Buffer.from('hello'),
      record: Buffer.alloc(0),
    }),
  )
})

t.test('a dead letter keeps its failure and its record', async (t) => {
  const failure = { code: 'timeout', detail: 'Late.' } as const
  const record = Buffer.from('record')
  const what = { atMs: NOW_MS, state: 'failed', failure, record } as const
  const unanswered: Outcome = { kind: 'unanswered', startedAtMs: NOW_MS, durationMs: 1, ...failure }
  const entry = journalEntryOf(call, what, unanswered)
  t.match(entry, { failure, startedAtMs: NOW_MS, durationMs: 1 })
  t.notOk('response' in entry)
  t.equal(String(entry.record), 'record')
  t.equal(entry.responseBody.length, 0)
  t.notOk('startedAtMs' in journalEntryOf(call, what, undefined), 'no attempt, no start')
})

t.test('a note tells who wrote it, and of what', async (t) => {
  const running = { atMs: NOW_MS + 9, state: 'running', startedAtMs: NOW_MS + 1, listener: 'here' } as const
  t.match(journalEntryOf(call, running, undefined), { ...running, id: call.id, attempt: 3 })
  t.notOk('durationMs' in journalEntryOf(call, running, undefined), 'it goes on')
  const scheduled = { atMs: NOW_MS, state: 'scheduled', nextAttemptAtMs: NOW_MS + 5 } as const
  const entry = journalEntryOf(call, { ...scheduled, record: Buffer.from('record') }, undefined)
  t.match(entry, scheduled)
  t.equal(String(entry.record), 'record')
  t.notOk('startedAtMs' in entry || 'listener' in entry)
})

t.test('cookies are not kept', async (t) => {
  t.strictSame(Object.entries(keptOf({ a: '1', 'set-cookie': ['s=1', 't=2'], b: '2' })), [
    ['a', '1'],
    ['b', '2'],
  ])
})

t.test('response headers are kept up to 8 KiB', async (t) => {
  t.strictSame(Object.keys(keptOf({ a: 'v'.repeat(8_190), b: '' })), ['a', 'b'])
  t.strictSame(Object.keys(keptOf({ a: 'v'.repeat(8_191), b: '' })), ['a'])
  t.strictSame(Object.keys(keptOf({ a: ['v'.repeat(5_000), 'v'.repeat(5_000)] })), [])
  const body = { 'content-type': 'image/png', 'content-encoding': 'gzip' }
  t.strictSame({ ...keptOf({ a: 'v'.repeat(8_191), ...body }) }, body, 'what the body is read by comes first')
})

t.test('a response header may be named as it likes', async (t) => {
  t.strictSame(Object.entries(keptOf(JSON.parse('{"__proto__": ["1", "2"], "constructor": "3"}'))), [
    ['__proto__', ['1', '2']],
    ['constructor', '3'],
  ])
})

t.test('the detail of a failure is cut', async (t) => {
  const failure = { code: 'record-unreadable', detail: 'x'.repeat(100_000) } as const
  const entry = journalEntryOf(call, { atMs: NOW_MS, state: 'failed', failure }, undefined)
  t.strictSame(entry.failure, { code: 'record-unreadable', detail: 'x'.repeat(2_000) })
})

t.test('what is no entry is unreadable', async (t) => {
  const entry: JournalEntry = {
    ...{ id: 'a', generation: 1, attempt: 1, atMs: NOW_MS, state: 'failed', acceptedAtMs: NOW_MS },
    response: { status: 200, headers: {}, bodyBytes: 2 },
    responseBody: Buffer.from('ab'),
    record: Buffer.from('cde'),
  }
  const text = String(encodeJournalEntry(entry))
  t.equal(decodeJournalEntry(Buffer.from(text)).id, 'a', 'the entry that the others are made of')
  const changes: [string, string][] = [
    ['"id":"a"', '"id":5'],
    ['"id":"a"', '"ix":"a"'],
    ['"generation":1', '"generation":"1"'],
    ['"attempt":1', '"attempt":1.5'],
    ['"state":"failed"', '"state":null'],
    ['"at":"2026', '"at":"x'],
    ['"at":"2026-06-01T12:00:00.000Z"', '"at":{"toString":1,"valueOf":1}'],
    ['"acceptedAt":"2026', '"acceptedAt":"x'],
    ['"acceptedAt"', '"startedAt":"x","acceptedAt"'],
    ['"acceptedAt"', '"nextAttemptAt":"x","acceptedAt"'],
    ['"acceptedAt"', '"since":"x","acceptedAt"'],
    ['"acceptedAt"', '"tick":{"did":"fired","after":"x"},"acceptedAt"'],
    ['"status":200', '"status":"200"'],
    ['"headers":{}', '"headers":null'],
    ['"responseBytes":2', '"responseBytes":3'],
    ['"responseBytes":2,"recordBytes":3', '"responseBytes":-1,"recordBytes":6'],
    ['"responseBytes":2,"recordBytes":3', '"responseBytes":"","recordBytes":5'],
    ['"bytes":5', '"bytes":4'],
    ['"bytes":5', '"count":5'],
    ['\nabcde', '\nabcd'],
    ['\nabcde', ''],
  ]
  for (const [from, to] of changes) {
    t.ok(text.includes(from), from)
    const changed = Buffer.from(text.replace(from, to))
    t.equal(failureOf(() => decodeJournalEntry(changed)).code, 'record-unreadable', `${from} to ${to}`)
  }
})

t.test('what a newer version adds is kept', async (t) => {
  const bytes = encodeJournalEntry({
    ...{ id: 'a', generation: 1, attempt: 1, atMs: NOW_MS, state: 'failed', acceptedAtMs: NOW_MS },
    ...{ responseBody: Buffer.alloc(0), record: Buffer.alloc(0) },
  })
  const newer = Buffer.from(String(bytes).replace('"id":"a"', '"id":"a","newer":true'))
  t.match(decodeJournalEntry(newer), { id: 'a', newer: true })
})
