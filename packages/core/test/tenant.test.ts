import t from 'tap'
import { destinationCallOf } from '../src/destination-call.js'
import {
  type Call,
  callLineOf,
  claimKey,
  decodeCall,
  encodeCall,
  encodeJournalEntry,
  firingOf,
  forwardOf,
  journalEntryOf,
  nextTick,
  peekJournal,
  readJournalLine,
  type TickCall,
  tenantOfLine,
} from '../src/index.js'

const NOW_MS = Date.parse('2026-06-01T12:00:00Z')
const ORIGIN = { log: 'calls', partition: 0, offset: 1, appendedAtMs: NOW_MS }
const call: Call = {
  ...{ id: 'order-42', generation: 1, attempt: 1, acceptedAtMs: NOW_MS, depth: 0, tenant: 'acme' },
  ...{ target: 'https://a.example/', method: 'POST', headers: {}, body: Buffer.from('hello') },
}

function lineOf(call: Call): Uint8Array {
  return callLineOf(encodeCall(call)) as Uint8Array
}

/** What a record of another producer comes to. */
function foreign(more: object): Call {
  const record = Buffer.from(JSON.stringify({ target: call.target, ...more }))
  return decodeCall(record, ORIGIN).call
}

t.test('whatever comes of a call is of the same tenant', (t) => {
  const url = 'https://b.example/'
  const entry = journalEntryOf(call, { atMs: NOW_MS, state: 'failed', record: encodeCall(call) }, undefined)
  const schedule = { everyMs: 60_000, startAtMs: NOW_MS, missed: 'once', afterMs: NOW_MS, isPaused: false } as const
  const tick: TickCall = { ...call, schedule }
  const journal = encodeJournalEntry(entry)
  for (const [what, tenant] of Object.entries({
    record: decodeCall(encodeCall(call), ORIGIN).call.tenant,
    'record of a tick': decodeCall(encodeCall(tick), ORIGIN).call.tenant,
    forward: forwardOf({ ...call, forwardTo: url }, 'failed', undefined, NOW_MS)?.tenant,
    destination: destinationCallOf(call, { url, format: 'record' }, entry, 10_000)?.tenant,
    'next tick': nextTick(tick, { did: 'fired', afterMs: NOW_MS }, NOW_MS).tenant,
    firing: firingOf(tick, NOW_MS, NOW_MS).tenant,
    'journal entry': readJournalLine(journal)?.tenant,
    'journal entry, at a glance': peekJournal(journal)?.tenant,
    line: tenantOfLine(lineOf(call)),
  }))
    t.equal(tenant, 'acme', what)
  t.end()
})

t.test('another producer may name a tenant, or none', (t) => {
  t.equal(foreign({ tenant: 'acme:eu' }).tenant, 'acme:eu')
  t.notOk('tenant' in foreign({}))
  for (const tenant of ['', 'a b', 'a"b', 'a\n', 'ä', 'a'.repeat(65), null, 1, ['a']])
    t.throws(() => foreign({ tenant }), { code: 'record-unreadable' }, JSON.stringify(tenant))
  t.end()
})

t.test('a header called so names no tenant', (t) => {
  const { tenant: _, ...none } = call
  t.equal(tenantOfLine(lineOf({ ...none, headers: { tenant: 'b' } })), '')
  t.end()
})

t.test('each tenant has Idempotency-Keys of its own', (t) => {
  const keys = ['a', 'b', '', 'key'].flatMap((tenant) => ['a', 'b', 'a b', 'key'].map((key) => claimKey(key, tenant)))
  t.equal(new Set(keys).size, keys.length)
  t.equal(claimKey('a', ''), claimKey('a'))
  t.end()
})
