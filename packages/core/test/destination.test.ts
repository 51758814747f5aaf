import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import {
  birthsOf,
  type Call,
  childId,
  createId,
  type Destination,
  decodeCall,
  decodeJournalEntry,
  encodeCall,
  encodeJournalEntry,
  type FinalState,
  forwardId,
  type Headers,
  journalEntryOf,
  LIMITS,
  type Outcome,
} from '../src/index.js'
import { anyBytes, NOW_MS, plain } from './arbitraries.js'
import { holds } from './property.js'

const KIB = 1024
const JSON_TYPE = { 'content-type': 'application/json' }
const origin = { log: 'calls', partition: 0, offset: 0, appendedAtMs: NOW_MS }

const call = {
  id: createId(NOW_MS),
  generation: 1,
  attempt: 3,
  acceptedAtMs: NOW_MS - 5_000,
  depth: 0,
  target: 'http://a/resize?token=secret',
  method: 'PUT',
  headers: { ...JSON_TYPE, authorization: 'Bearer secret' },
  body: Buffer.from('{"image": 42}'),
  onSuccess: { url: 'http://b/done', format: 'record' },
  onFailure: { url: 'http://b/failed', format: 'record' },
  correlationId: 'order-42',
} satisfies Call

const answered = (status: number, body: Uint8Array | string, headers: Headers = JSON_TYPE, whole?: number): Outcome => {
  const bytes = Buffer.from(body)
  const response = { status, headers, body: bytes, bodyBytes: whole ?? bytes.length }
  return { kind: 'answered', startedAtMs: NOW_MS - 250, durationMs: 250, response }
}
const timedOut = { code: 'timeout', detail: 'The call did not end within 30000 ms.' } as const
const unanswered: Outcome = { kind: 'unanswered', startedAtMs: NOW_MS - 250, durationMs: 250, ...timedOut }
const rejected = { code: 'status', detail: 'The target answered 503.' } as const

const entryOf = (one: Call, state: FinalState, outcome?: Outcome, failure?: typeof timedOut | typeof rejected) =>
  journalEntryOf(one, { atMs: NOW_MS, state, ...(failure && { failure }) }, outcome)

/** The one call that tells of an end. */
function told(one: Call, entry: ReturnType<typeof entryOf>, bytesMax = 64 * KIB): Call {
  const { calls } = birthsOf(one, entry, bytesMax)
  assert.equal(calls.length, 1)
  return calls[0] as Call
}

const bodyOf = (child: Call): Record<string, unknown> => JSON.parse(Buffer.from(child.body).toString())
const recordOf = (...of: Parameters<typeof told>): Record<string, unknown> => bodyOf(told(...of))

t.test('a success is told as AWS Lambda tells it', async (t) => {
  const child = told(call, entryOf(call, 'succeeded', answered(200, '{"ok":true}')))
  t.match(child, {
    ...{ id: childId('destination', call), generation: 1, attempt: 1, acceptedAtMs: NOW_MS, parent: call.id, depth: 1 },
    ...{ target: 'http://b/done', method: 'POST', correlationId: 'order-42' },
  })
  t.strictSame(child.headers, {
    ...JSON_TYPE,
    'posthaste-id': call.id,
    'posthaste-state': 'succeeded',
    'posthaste-status': '200',
    'posthaste-duration-seconds': '0.250000',
    'posthaste-correlation-id': 'order-42',
  })
  t.strictSame(bodyOf(child), {
    version: '1.0',
    timestamp: '2026-06-01T12:00:00.000Z',
    requestContext: {
      requestId: call.id,
      functionArn: 'http://a/resize?token=***',
      condition: 'Success',
      approximateInvokeCount: 3,
    },
    requestPayload: { image: 42 },
    requestPayloadEncoding: 'json',
    responseContext: { statusCode: 200, executedVersion: '$LATEST' },
    responsePayload: { ok: true },
    responsePayloadEncoding: 'json',
    posthaste: {
      state: 'succeeded',
      generation: 1,
      correlationId: 'order-42',
      method: 'PUT',
      acceptedAt: '2026-06-01T11:59:55.000Z',
      startedAt: '2026-06-01T11:59:59.750Z',
      durationSeconds: 0.25,
    },
  })
  t.notMatch(Buffer.from(child.body).toString(), /secret/, 'without secrets')
})

t.test('a failure, with and without an answer', async (t) => {
  const failed = recordOf(call, entryOf(call, 'failed', answered(503, 'no', {}), rejected))
  t.match(failed, {
    requestContext: { condition: 'RetriesExhausted' },
    responseContext: { statusCode: 503, functionError: 'Unhandled' },
    ...{ responsePayload: 'no', responsePayloadEncoding: 'text' },
    posthaste: { state: 'failed', failure: rejected },
  })
  const silent = recordOf(call, entryOf(call, 'failed', unanswered, timedOut))
  t.match(silent, { responseContext: { functionError: 'Unhandled' }, posthaste: { failure: timedOut } })
  t.notOk('responsePayload' in silent)
})

t.test('what expired was called once less, unless that was when it did', async (t) => {
  const never = recordOf(call, entryOf(call, 'expired'))
  t.match(never, { requestContext: { condition: 'EventAgeExceeded', approximateInvokeCount: 2 } })
  t.notOk('responseContext' in never)
  const between = recordOf(call, entryOf(call, 'expired', unanswered, timedOut))
  t.match(between, { requestContext: { condition: 'EventAgeExceeded', approximateInvokeCount: 3 } })
})

t.test('an event is the body as it came, and says why', async (t) => {
  const event: Destination = { url: 'function://b/dead', format: 'event' }
  const one = { ...call, onSuccess: event, onFailure: event, headers: { ...call.headers, 'content-encoding': 'gzip' } }
  const failed = told(one, entryOf(one, 'failed', answered(503, 'no'), rejected))
  t.equal(failed.target, event.url)
  t.strictSame(failed.body, call.body)
  t.match(failed.headers, { ...JSON_TYPE, 'content-encoding': 'gzip', requestid: call.id, 'posthaste-state': 'failed' })
  t.match(failed.headers, { errorcode: '503', errormessage: rejected.detail })
  t.notOk('authorization' in failed.headers)
  const late = { ...timedOut, detail: `\n${'ä'.repeat(2_000)}` }
  const { headers } = told(one, entryOf(one, 'failed', unanswered, late as typeof timedOut))
  t.match(headers, { errorcode: '503', errormessage: /^\?{100}/ })
  t.ok(String(headers.errormessage).length <= 1_024)
  t.notOk('errorcode' in told(one, entryOf(one, 'succeeded', answered(200, ''))).headers)
  const large = { ...one, body: Buffer.alloc(64 * KIB) }
  const cut = told(large, entryOf(large, 'failed', unanswered, timedOut))
  t.equal(cut.body.length, 0)
  t.equal(cut.headers['posthaste-truncated'], String(64 * KIB), 'never as if it were whole')
  t.notOk('content-encoding' in cut.headers, 'of no body nothing is encoded')
  t.match(told(one, entryOf(one, 'expired')).headers, { errorcode: '503', errormessage: 'It expired.' })
  const wide = { ...one, headers: { 'content-type': 'é'.repeat(LIMITS.headerBytesMax - 12) } }
  const made = told(wide, entryOf(wide, 'failed', unanswered, timedOut))
  t.strictSame(plain(decodeCall(encodeCall(made), origin).call), plain(made), 'it can be read')
})

t.test('a CloudEvent has the record as its data', async (t) => {
  const states = { succeeded: answered(200, '1'), failed: unanswered, expired: undefined } as const
  for (const [state, outcome] of Object.entries(states)) {
    const destination: Destination = { url: 'http://b/', format: 'cloudevents' }
    const one = { ...call, onSuccess: destination, onFailure: destination }
    const entry = entryOf(one, state as FinalState, outcome)
    const child = told(one, entry)
    t.equal(child.headers['content-type'], 'application/cloudevents+json')
    t.strictSame(bodyOf(child), {
      specversion: '1.0',
      id: child.id,
      source: 'urn:posthaste:invocations',
      type: `org.posthaste.invocation.${state}`,
      subject: call.id,
      time: '2026-06-01T12:00:00.000Z',
      datacontenttype: 'application/json',
      data: recordOf(call, entryOf(call, state as FinalState, outcome)),
    })
  }
})

t.test('payloads: JSON as it stands, else text, else base64', async (t) => {
  const shown = (body: Uint8Array | string, headers: Headers, whole?: number): unknown[] => {
    const record = recordOf(call, entryOf(call, 'succeeded', answered(200, body, headers, whole)))
    return [record.responsePayload, record.responsePayloadEncoding, record.responsePayloadTruncated]
  }
  t.strictSame(shown('[1]', {}), [[1], 'json', undefined], 'JSON without a type')
  t.strictSame(shown('[1]', { 'content-type': 'application/problem+json' }), [[1], 'json', undefined])
  t.strictSame(shown('12', { 'content-type': 'text/plain' }), ['12', 'text', undefined], 'text that looks like JSON')
  t.strictSame(shown('{', JSON_TYPE), ['{', 'text', undefined])
  t.strictSame(shown('\ufeff"a"\u0000ä', {}), ['\ufeff"a"\u0000ä', 'text', undefined])
  t.strictSame(shown(Buffer.of(0xff, 0), {}), ['/wA=', 'base64', undefined])
  t.strictSame(shown('zipped', { 'content-encoding': 'gzip' }), ['emlwcGVk', 'base64', undefined])
  const zipped = answered(200, 'zipped', { 'content-encoding': ['deflate', 'gzip'] })
  const { responsePayloadContentEncoding } = recordOf(call, entryOf(call, 'succeeded', zipped))
  t.equal(responsePayloadContentEncoding, 'deflate,gzip', 'as it came')
  t.strictSame(shown('', {}), [null, 'json', undefined])
  t.strictSame(shown('', {}, 5_000_000), [null, 'json', 5_000_000], 'one that was not kept')

  const exact = '{"n": 12345678901234567890, "n": 1}'
  const child = told(call, entryOf(call, 'succeeded', answered(200, exact)))
  t.match(Buffer.from(child.body).toString(), exact, 'not a number is lost')
})

t.test('the record always fits, and says what was cut', async (t) => {
  const parts = ['\u0000', '"', 'a', 'ä', '😀', '\ufffd'].map((part) => Buffer.from(part.repeat(4_000)))
  const body = fc.oneof(
    fc.constantFrom(...parts, Buffer.alloc(9_000, 0xff)),
    anyBytes,
    fc.uint8Array({ maxLength: 20_000 }),
  )
  const format = fc.constantFrom<Destination['format']>('record', 'cloudevents')
  const any = fc.tuple(body, body, format, fc.integer({ min: 4 * KIB, max: 40 * KIB }))
  holds(t, 'any payloads', 500, any, ([sent, got, format, bytesMax]) => {
    const one: Call = { ...call, body: Buffer.from(sent), headers: {}, onSuccess: { url: 'http://b/', format } }
    const child = told(one, entryOf(one, 'succeeded', answered(200, got, {})), bytesMax)
    const record = encodeCall(child)
    assert.ok(record.length <= bytesMax, `${record.length} of ${bytesMax}`)
    assert.deepEqual(plain(decodeCall(record, origin).call), plain(child))
    const all = bodyOf(child)
    const data = (format === 'record' ? all : all.data) as Record<string, unknown>
    for (const [name, bytes] of Object.entries({ requestPayload: sent, responsePayload: got })) {
      const [shown, encoding, truncated] = ['', 'Encoding', 'Truncated'].map((suffix) => data[name + suffix])
      if (encoding === 'json') continue
      const start = Buffer.from(shown as string, encoding === 'text' ? 'utf8' : 'base64')
      if (truncated === undefined) assert.deepEqual(start, Buffer.from(bytes))
      else assert.equal(truncated, bytes.length)
      assert.deepEqual(start, Buffer.from(bytes.subarray(0, start.length)))
    }
  })
})

t.test('a small payload leaves its room to a large one', async (t) => {
  const large = 'a'.repeat(10_000)
  const one = { ...call, body: Buffer.from(large), headers: {} }
  const record = recordOf(one, entryOf(one, 'succeeded', answered(200, '1')), 8 * KIB)
  t.equal(record.requestPayloadTruncated, 10_000)
  t.ok(String(record.requestPayload).length > 5_000)
  t.equal(record.responsePayload, 1)
})

t.test('who is told of what', async (t) => {
  const all: Call = { ...call, forwardTo: 'http://c/' }
  const forward = { id: forwardId(call) }
  const destination = { id: childId('destination', call) }
  const outcome = answered(200, '')
  const births = (one: Call, state: FinalState) => birthsOf(one, entryOf(one, state, outcome), 64 * KIB)
  const urls = (one: Call, state: FinalState): string[] => births(one, state).calls.map(({ target }) => target)
  t.strictSame(urls(all, 'succeeded'), ['http://c/', 'http://b/done'])
  t.strictSame(urls(all, 'failed'), ['http://c/', 'http://b/failed'])
  t.strictSame(urls(all, 'expired'), ['http://c/', 'http://b/failed'])
  t.strictSame(births(all, 'succeeded').children, { forward, destination })
  t.strictSame(births(all, 'cancelled'), { children: {}, calls: [] })
  const { onFailure: _, ...wantsSuccess } = call
  t.strictSame(births(wantsSuccess, 'failed'), { children: {}, calls: [] })

  const refused = { refused: 'depth-exceeded' }
  t.strictSame(births({ ...all, depth: LIMITS.depthMax }, 'failed'), {
    ...{ children: { forward: refused, destination: refused }, calls: [] },
  })
  t.notSame(childId('destination', { ...call, generation: 2 }), destination.id)
})

t.test('what is told follows from call and journal, however often', async (t) => {
  const headers = { ...JSON_TYPE, 'set-cookie': 'a=b', 'x-a': ['1', '2'] }
  for (const outcome of [answered(503, '[1]', headers), unanswered, undefined]) {
    const one: Call = { ...call, forwardTo: 'http://c/' }
    const entry = entryOf(one, 'failed', outcome, outcome === unanswered ? timedOut : rejected)
    const again = decodeJournalEntry(encodeJournalEntry(entry))
    t.strictSame(
      birthsOf(one, again, 64 * KIB).calls.map((child) => plain(child)),
      birthsOf(one, entry, 64 * KIB).calls.map((child) => plain(child)),
    )
  }
})
