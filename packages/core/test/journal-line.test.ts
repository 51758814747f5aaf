import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import {
  attemptOf,
  decodeJournalEntry,
  encodeJournalEntry,
  type JournalEntry,
  peekJournal,
  readJournalLine,
} from '../src/index.js'
import { NOW_MS, validJournalEntry } from './arbitraries.js'
import { holds } from './property.js'

const none = new Uint8Array(0)
const entry: JournalEntry = {
  ...{ id: 'a', generation: 2, attempt: 3, atMs: NOW_MS, state: 'retrying', acceptedAtMs: NOW_MS - 1 },
  ...{ target: 'http://a/', method: 'POST', responseBody: none, record: none },
}

/** What is read of the text of a record. */
const peekText = (text: string) => peekJournal(Buffer.from(text))

t.test('a peek says the same as the whole', async (t) => {
  const anyEntry = fc.tuple(validJournalEntry, fc.constantFrom('succeeded', 'scheduled', 'running', 'cancelled'))
  holds(t, 'peek', 2_000, anyEntry, ([valid, state]) => {
    const value = encodeJournalEntry({ ...valid, state })
    const { acceptedAtMs, atMs, attempt, generation, id, record, responseBody, tick, ...others } =
      decodeJournalEntry(value)
    const { correlationId, parent, target, tenant } = others
    const sizes = { responseBytes: responseBody.length, recordBytes: record.length }
    const lineBytes = value.length - 1 - responseBody.length - record.length
    const of = { id, generation, attempt, state, atMs, acceptedAtMs, isTick: tick !== undefined }
    const expected = { ...of, target, correlationId, parent, tenant, lineBytes, ...sizes }
    assert.deepEqual(peekJournal(value), expected)
  })
})

t.test('a line that another version wrote is read as well', async (t) => {
  const value = Buffer.from(encodeJournalEntry({ ...entry, correlationId: 'c' })).toString()
  const { lineBytes: _, ...own } = peekText(value) ?? {}
  const differently = [
    value.replace('"state"', '"colour":"red","state"'),
    value.replace('"bytes":0', '"bytes":0,"colour":"red"'),
    value.replace('"target":"http://a/",', '').replace('"bytes":0', '"bytes":0,"target":"http://a/"'),
    value.replace('http://a/', 'http:\\u002f/a/'),
  ]
  for (const text of differently) {
    const { lineBytes, ...read } = peekText(text) ?? {}
    t.equal(lineBytes, text.length - 1, text)
    t.strictSame(read, own)
  }
})

t.test('what is no journal entry is undefined', async (t) => {
  const value = Buffer.from(encodeJournalEntry(entry)).toString()
  const wrong = [
    '',
    '{',
    'null\n',
    '{"v":1}\n',
    `${value}more`,
    value.slice(0, -1),
    value.replace('"retrying"', '"queued"'),
    value.replace('"retrying"', '"unheard"'),
    value.replace('"generation":2', '"generation":0'),
    value.replace('"attempt":3', '"attempt":9999999999'),
    value.replace('"attempt":3', '"attempt":"3"'),
    value.replace(/"at":"[^"]+"/, '"at":"soon"'),
    value.replace('"id":"a"', `"id":"${'a'.repeat(300)}"`),
  ]
  for (const text of wrong) t.equal(peekText(text), undefined, text)
  t.ok(peekText(value))
})

t.test('an attempt is what was made, not what was only decided', async (t) => {
  const attempted = readJournalLine(
    encodeJournalEntry({
      ...entry,
      ...{ startedAtMs: NOW_MS, durationMs: 2.5, listener: 'http://l', failure: { code: 'status', detail: 'no' } },
      response: { status: 500, headers: {}, bodyBytes: 0 },
    }),
  )
  assert.ok(attempted)
  t.strictSame(attemptOf(attempted), {
    ...{ generation: 2, attempt: 3, startedAtMs: NOW_MS, durationMs: 2.5, status: 500 },
    ...{ failure: { code: 'status', detail: 'no' }, listener: 'http://l' },
  })
  const decided = readJournalLine(encodeJournalEntry(entry))
  assert.ok(decided)
  t.equal(attemptOf(decided), undefined)
})
