import { type Call, DEFAULT_RETRY_POLICY, type Headers, type Outcome, PosthasteError } from '@posthaste/core'
import type { Effects, NewRecord, StoredRecord } from '@posthaste/stream'
import t from 'tap'
import { cancelEffects } from '../src/directive-effects.js'
import { type Ending, effectsAgain, endAttempt, endInvocation } from '../src/effects.js'

const NOW_MS = Date.parse('2026-06-01T12:00:00.123Z')
const OPTIONS = { retry: DEFAULT_RETRY_POLICY, recordBytesMax: 64 * 1024 }
const STAMP = { atMs: NOW_MS, listener: 'http://127.0.0.1:8080' }

const call: Call = {
  id: 'an-id',
  generation: 2,
  attempt: 3,
  acceptedAtMs: NOW_MS - 10_000,
  depth: 0,
  target: 'http://127.0.0.1:9/a?b=c',
  method: 'POST',
  headers: { 'x-a': '1' },
  body: Buffer.from('a body'),
  correlationId: 'order-42',
}
const WISH = { 'posthaste-retry': '10m' }
const told: Call = {
  ...{ ...call, forwardTo: 'http://127.0.0.1:9/done' },
  onSuccess: { url: 'http://127.0.0.1:9/good', format: 'record' },
  onFailure: { url: 'http://127.0.0.1:9/bad', format: 'cloudevents' },
}
const answeredBefore: Call = { ...call, answered: 2, sinceMs: NOW_MS - 8_000, notBeforeMs: NOW_MS - 100 }
const forwarded: Call = { ...call, forwardTo: 'http://127.0.0.1:9/done' }
const record: StoredRecord = {
  log: 'calls',
  partition: 0,
  offset: 7,
  key: call.id,
  value: Buffer.from('the record'),
  appendedAtMs: NOW_MS,
}

function answered(status: number, body = 'an answer', bodyBytes = body.length, more: Headers = {}): Outcome {
  const headers = { 'content-type': 'text/plain', 'x-b': ['1', '2'], 'set-cookie': 'a=b', ...more }
  return {
    kind: 'answered',
    startedAtMs: NOW_MS - 5,
    durationMs: 4.25,
    response: { status, headers, body: Buffer.from(body), bodyBytes },
  }
}

const unanswered: Outcome = {
  kind: 'unanswered',
  startedAtMs: NOW_MS - 5,
  durationMs: 4.25,
  code: 'connection-refused',
  detail: 'The target refused the connection.',
}

const TOO_LATE = { code: 'expired', detail: 'Too late.' } as const
const cancelled: Outcome = { ...unanswered, code: 'cancelled', detail: 'It was cancelled.' }

const after = (one: Call, outcome: Outcome): Ending => endAttempt(one, record, outcome, OPTIONS, STAMP, 0.618)
const last = { ...forwarded, attempt: DEFAULT_RETRY_POLICY.maxAttempts }

const endings: Record<string, { readonly call: Call; readonly ending: Ending }> = {
  'a success that nobody is told of': { call, ending: after(call, answered(200)) },
  'a success that is forwarded': { call: forwarded, ending: after(forwarded, answered(200)) },
  'a success whose response was cut': { call: forwarded, ending: after(forwarded, answered(200, '', 1_000_000)) },
  'a failure that is forwarded': { call: forwarded, ending: after(forwarded, answered(404)) },
  'a last failure without an answer': { call: last, ending: after(last, unanswered) },
  'a success that a destination is told of': { call: told, ending: after(told, answered(200)) },
  'a failure that a destination and a forward tell of': { call: told, ending: after(told, answered(404)) },
  'a retry that the target asked for': { call: told, ending: after(told, answered(204, '', 0, WISH)) },
  'a retry of what was answered before': { call: answeredBefore, ending: after(answeredBefore, answered(503)) },
  'a retry after an answer': { call: forwarded, ending: after(forwarded, answered(503)) },
  'a retry without an answer': { call, ending: after(call, unanswered) },
  'an expiry without an attempt': {
    call: forwarded,
    ending: endInvocation(forwarded, record, { state: 'expired', failure: TOO_LATE }, OPTIONS, STAMP),
  },
  'a cancellation without an attempt': {
    call: forwarded,
    ending: cancelEffects(forwarded, record.value, STAMP),
  },
  'a cancellation while it ran': { call: forwarded, ending: after(forwarded, cancelled) },
  'a chain that is too deep': {
    call: { ...forwarded, depth: 8 },
    ending: after({ ...forwarded, depth: 8 }, answered(200)),
  },
}

t.test('what follows from an ending follows from its journal entry again', async (t) => {
  for (const [name, { call, ending }] of Object.entries(endings)) {
    const [entry] = ending.effects.journal as [NewRecord]
    const again = effectsAgain(call, entry.value, OPTIONS)
    t.strictSame(sequelOf(again), sequelOf(ending.effects), name)
    t.equal(again.journal, undefined, `${name}: the journal has it`)
    t.equal(again.again ?? false, sequelOf(again).length > 0, `${name}: said to be a second time`)
  }
  t.equal(Object.values(endings).filter(({ ending }) => sequelOf(ending.effects).length > 0).length, 11)
})

t.test('every record of an attempt says its turn', async (t) => {
  for (const [name, { call, ending }] of Object.entries(endings)) {
    const { children = [], journal = [], timers = [] } = ending.effects
    t.match(journal, [{ key: call.id, generation: call.generation, attempt: call.attempt }], name)
    for (const child of children) t.match(child, { generation: 1, attempt: 1 }, `${name}: who is told`)
    for (const timer of timers) t.match(timer, { key: call.id, generation: 2, attempt: call.attempt + 1 }, name)
  }
})

t.test('what is no journal entry is refused', async (t) => {
  t.throws(() => effectsAgain(call, Buffer.from('{}'), OPTIONS), PosthasteError)
})

/** Everything but the journal, in a form that compares. */
function sequelOf({ children = [], timers = [] }: Effects): unknown[] {
  return [...children, ...timers].map((each) => ({ ...each, value: Buffer.from(each.value).toString() }))
}
