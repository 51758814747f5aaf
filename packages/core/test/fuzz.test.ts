import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import {
  decodeCall,
  decodeJournalEntry,
  ERRORS,
  encodeCall,
  encodeJournalEntry,
  parseInstruction,
} from '../src/index.js'
import {
  anyBytes,
  anyJson,
  NOW_MS,
  nearlyValidInstruction,
  plain,
  validCall,
  validInstruction,
  validJournalEntry,
} from './arbitraries.js'
import { errorOf } from './failure.js'
import { holds } from './property.js'

const origin = { log: 'calls', partition: 0, offset: 7, appendedAtMs: NOW_MS }

/** Bytes with a few of them replaced, dropped or doubled. */
function mutated(records: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(4), anyBytes)
  return fc.tuple(records, fc.array(change, { minLength: 1, maxLength: 3 })).map(([record, changes]) => {
    let bytes = Buffer.from(record)
    for (const [where, drop, insert] of changes) {
      const at = Math.floor(where * bytes.length)
      bytes = Buffer.concat([bytes.subarray(0, at), insert.subarray(0, 4), bytes.subarray(at + drop)])
    }
    return bytes
  })
}

/** Documents of JSON, changed where JSON stays JSON. */
function documents(records: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(records, fc.nat(30), anyJson).map(([record, which, value]) => {
    const end = record.indexOf(0x0a)
    const document = JSON.parse(Buffer.from(record.subarray(0, end)).toString())
    const names = Object.keys(document)
    document[names[which % names.length] ?? ''] = value
    return Buffer.concat([Buffer.from(`${JSON.stringify(document)}\n`), record.subarray(end + 1)])
  })
}

const outcomes = new Map<string, number>()
function count(name: string): void {
  outcomes.set(name, (outcomes.get(name) ?? 0) + 1)
}

function parseFails(input: unknown): void {
  const error = errorOf(() => parseInstruction(input, NOW_MS))
  count(error ? 'refused' : 'accepted')
  if (!error) return
  assert.ok(error.fields.length > 0, 'it names a field')
  for (const { code, pointer } of [error, ...error.fields] as { code: keyof typeof ERRORS; pointer?: string }[]) {
    assert.equal(ERRORS[code].status, 400, code)
    assert.ok(pointer === undefined || pointer === '' || pointer.startsWith('/'))
  }
}

function decodeFails(bytes: Uint8Array): void {
  const error = errorOf(() => decodeCall(bytes, origin))
  count(error ? 'unread' : 'read')
  if (error) assert.ok(error.code === 'record-unreadable' || error.code === 'record-version', error.code)
  // What is read may be retried: it must be possible to write it, and to read that.
  else again(bytes)
}

function again(bytes: Uint8Array): void {
  const { call } = decodeCall(bytes, origin)
  assert.deepEqual(plain(decodeCall(encodeCall(call), origin).call), plain(call))
}

function journalFails(bytes: Uint8Array): void {
  const error = errorOf(() => decodeJournalEntry(bytes))
  if (error) assert.equal(error.code, 'record-unreadable')
  else encodeJournalEntry(decodeJournalEntry(bytes))
  count(error ? 'no entry' : 'entry')
}

t.test('an instruction is accepted, or refused with a 400', async (t) => {
  holds(t, 'any JSON', 2_000, anyJson, parseFails)
  holds(t, 'any JSON with a target', 1_000, anyJson, (value) =>
    parseFails({ target: 'http://a/', query: value, headers: value, retry: value }),
  )
  holds(t, 'nearly an instruction', 4_000, nearlyValidInstruction, parseFails)
  t.ok((outcomes.get('accepted') ?? 0) > 100, `${outcomes.get('accepted')} were accepted`)
  t.ok((outcomes.get('refused') ?? 0) > 1_000, `${outcomes.get('refused')} were refused`)
})

t.test('a valid instruction is the same call on both sides of the stream', async (t) => {
  holds(t, 'instruction to call', 2_000, validInstruction, (instruction) => {
    const content = parseInstruction(instruction, NOW_MS)
    const call = { id: 'a', generation: 1, attempt: 1, acceptedAtMs: NOW_MS, depth: 0, method: 'POST', ...content }
    const read = decodeCall(encodeCall(call), origin)
    assert.deepEqual(plain(read.call), plain(call))
    assert.equal(read.settled, true)
  })
})

t.test('a record is read, or said to be unreadable', async (t) => {
  const records = validCall.map(encodeCall)
  holds(t, 'any bytes', 1_000, anyBytes, decodeFails)
  holds(
    t,
    'any JSON',
    1_000,
    anyJson.map((value) => Buffer.from(JSON.stringify(value))),
    decodeFails,
  )
  holds(t, 'records with some bytes changed', 2_000, mutated(records), decodeFails)
  holds(t, 'records with one field changed', 2_000, documents(records), decodeFails)
  holds(
    t,
    'instructions of others',
    1_000,
    nearlyValidInstruction.map((value) => Buffer.from(JSON.stringify(value))),
    decodeFails,
  )
  t.ok((outcomes.get('read') ?? 0) > 100, `${outcomes.get('read')} were read`)
  t.ok((outcomes.get('unread') ?? 0) > 1_000, `${outcomes.get('unread')} were not`)
})

t.test('a journal entry is read, or said to be unreadable', async (t) => {
  const entries = validJournalEntry.map(encodeJournalEntry)
  holds(t, 'any bytes', 1_000, anyBytes, journalFails)
  holds(t, 'entries with some bytes changed', 2_000, mutated(entries), journalFails)
  holds(t, 'entries with one field changed', 2_000, documents(entries), journalFails)
  t.ok((outcomes.get('entry') ?? 0) > 20, `${outcomes.get('entry')} were read`)
  t.ok((outcomes.get('no entry') ?? 0) > 1_000, `${outcomes.get('no entry')} were not`)
})

t.test('nothing of all this has changed the prototype of everything', async (t) => {
  t.strictSame(Object.keys(Object.prototype), [])
  t.notOk('method' in Object.prototype)
})
