import t from 'tap'
import {
  type Call,
  createId,
  decodeCall,
  encodeCall,
  forwardId,
  forwardOf,
  type Headers,
  ID_PATTERN,
  idTimeMs,
  LIMITS,
  type Outcome,
  parseInstruction,
  TEMPLATE_NAMES,
  templateOf,
} from '../src/index.js'
import { NOW_MS, plain } from './arbitraries.js'
import { failureOf } from './failure.js'

const call = {
  id: createId(NOW_MS),
  generation: 1,
  attempt: 2,
  acceptedAtMs: NOW_MS + 1,
  depth: 0,
  target: 'http://a/',
  method: 'PUT',
  headers: { 'x-a': '1' },
  body: Buffer.from('request'),
  forwardTo: 'http://b/done',
  timeoutMs: 5,
} satisfies Call

const answered = (headers: Headers, body: Uint8Array = Buffer.from('hello'), bodyBytes = body.length): Outcome => ({
  kind: 'answered',
  startedAtMs: NOW_MS,
  durationMs: 1_234.5678,
  response: { status: 201, headers, body, bodyBytes },
})

const forward = (outcome: Outcome | undefined, changes: Partial<Call> = {}): Call => {
  const made = forwardOf({ ...call, ...changes, forwardTo: call.forwardTo }, 'succeeded', outcome, NOW_MS + 9)
  if (!made) throw new Error('There is no forward.')
  return made
}

t.test('an answer is posted on', async (t) => {
  const made = forward(answered({ 'content-type': 'image/png', server: 'x' }), { correlationId: 'c', depth: 3 })
  t.strictSame(made, {
    ...{ id: forwardId(call), generation: 1, attempt: 1, acceptedAtMs: NOW_MS + 9, parent: call.id, depth: 4 },
    ...{ target: 'http://b/done', method: 'POST' },
    headers: {
      'content-type': 'image/png',
      'posthaste-id': call.id,
      'posthaste-state': 'succeeded',
      'posthaste-status': '201',
      'posthaste-duration-seconds': '1.234568',
      'posthaste-correlation-id': 'c',
    },
    body: Buffer.from('hello'),
    correlationId: 'c',
  })
})

t.test('what ended without an answer is told by its code', async (t) => {
  const outcome: Outcome = {
    kind: 'unanswered',
    startedAtMs: NOW_MS,
    durationMs: 250,
    code: 'timeout',
    detail: 'Late.',
  }
  const made = forwardOf(call, 'failed', outcome, NOW_MS)
  t.strictSame(made?.headers, {
    'posthaste-id': call.id,
    'posthaste-state': 'failed',
    'posthaste-duration-seconds': '0.250000',
    'posthaste-error': 'timeout',
  })
  t.equal(made?.body.length, 0)
})

t.test('what ended without an attempt has no duration', async (t) => {
  const made = forwardOf(call, 'expired', undefined, NOW_MS)
  t.strictSame(made?.headers, { 'posthaste-id': call.id, 'posthaste-state': 'expired' })
})

t.test('a body beyond the capture limit never poses as whole', async (t) => {
  const made = forward(answered({}, new Uint8Array(0), 5_000_000))
  t.equal(made.headers['posthaste-truncated'], '5000000')
  t.equal(made.body.length, 0)
  t.notOk('posthaste-truncated' in forward(answered({})).headers)
  t.notOk('posthaste-truncated' in forward(answered({}, new Uint8Array(0))).headers, 'an empty body is whole')
})

t.test('the id follows from invocation and generation', async (t) => {
  const id = forwardId(call)
  t.equal(idTimeMs(id), NOW_MS, 'and holds the time of the invocation')
  t.equal(forwardId({ ...call, acceptedAtMs: NOW_MS + 5 }), id, 'which its id says, whatever a record says')
  t.equal(forward(answered({}), { attempt: 5 }).id, id)
  const ids = [id, forwardId({ ...call, generation: 2 }), forwardId({ ...call, id: createId(NOW_MS) }), call.id]
  t.equal(new Set(ids).size, ids.length)
})

t.test('an id of another kind has a forward too', async (t) => {
  for (const acceptedAtMs of [NOW_MS, Date.parse('0001-01-01T00:00:00Z')]) {
    const foreign = { id: 'order-42', generation: 1, acceptedAtMs }
    t.match(forwardId(foreign), new RegExp(ID_PATTERN))
    t.equal(idTimeMs(forwardId(foreign)), Math.max(0, acceptedAtMs))
  }
})

t.test('a chain ends at the depth limit', async (t) => {
  t.equal(forward(answered({}), { depth: LIMITS.depthMax - 1 }).depth, LIMITS.depthMax)
  for (const depth of [LIMITS.depthMax, LIMITS.depthMax + 1])
    t.equal(forwardOf({ ...call, depth }, 'succeeded', answered({}), NOW_MS), undefined)
})

t.test('a body that is encoded is posted on as it came, and says so', async (t) => {
  const encodings: [Headers['x'] | undefined, Uint8Array, string | undefined][] = [
    ['gzip', Buffer.from('zipped'), 'gzip'],
    [['deflate', 'gzip'], Buffer.from('zipped'), 'deflate, gzip'],
    ['gzip', new Uint8Array(0), undefined],
    ['g\u{4e00}zip', Buffer.from('zipped'), undefined],
    ['gzip, '.repeat(1_000), Buffer.from('zipped'), undefined],
    [undefined, Buffer.from('plain'), undefined],
  ]
  for (const [encoding, body, wanted] of encodings) {
    const made = forward(answered({ 'content-type': 'a/b', ...(encoding && { 'content-encoding': encoding }) }, body))
    t.equal(made.headers['content-encoding'], wanted)
    t.equal(made.headers['content-type'], 'a/b')
    t.equal(made.body, body)
    t.ok(decodeCall(encodeCall(made), { log: 'calls', partition: 0, offset: 0, appendedAtMs: NOW_MS }))
  }
})

t.test('a forward can be read, whatever the target answered', async (t) => {
  const types: [Headers, string | undefined][] = [
    [{}, undefined],
    [{ 'content-type': 'a/b' }, 'a/b'],
    [{ 'content-type': ['a/b', 'c/d'] }, 'a/b'],
    [{ 'content-type': [] }, undefined],
    [{ 'content-type': 'é'.repeat(8_192) }, 'é'.repeat(8_192)],
    [{ 'content-type': 'x'.repeat(8_193) }, undefined],
    [{ 'content-type': 'text/日本' }, undefined],
    [{ 'content-type': 'a\x7f' }, undefined],
  ]
  for (const [headers, type] of types) {
    const made = forward(answered(headers), { correlationId: 'c'.repeat(256), id: 'i'.repeat(128) })
    t.equal(made.headers['content-type'], type)
    const { call: read } = decodeCall(encodeCall(made), { log: 'calls', partition: 0, offset: 0, appendedAtMs: NOW_MS })
    t.strictSame(plain(read), plain(made))
  }
})

const readBack = (made: Call): Call =>
  decodeCall(encodeCall(made), { log: 'calls', partition: 0, offset: 0, appendedAtMs: NOW_MS }).call

t.test('headers of a forward are filled with what the end says', async (t) => {
  const forwardTo = {
    url: 'http://b/done',
    headers: {
      'X-Duration-Seconds': '{durationSeconds|0}',
      'X-Function-Status': '{status|503}',
      'X-Call-Id': templateOf('my {id}'),
      'X-All': TEMPLATE_NAMES.map((name) => `{${name}}`).join(' '),
      'X-Error': '{status|}',
      'X-Correlation': '{correlationId}',
    },
  }
  const { forwardWith } = parseInstruction({ target: 'http://a/', forwardTo }, NOW_MS)
  const read = readBack({ ...call, forwardWith: forwardWith as NonNullable<typeof forwardWith> })
  t.strictSame(plain(read.forwardWith ?? {}), plain(forwardWith ?? {}), 'a record says the same')
  const answer = forward(answered({}), { ...read, correlationId: 'c' }).headers
  t.match(answer, {
    'x-duration-seconds': '1.234568',
    'x-function-status': '201',
    'x-call-id': 'my {id}',
    'x-all': `${call.id} c succeeded 201 1.234568 2 1`,
    'x-error': '201',
    'x-correlation': 'c',
  })
  const silence = forwardOf({ ...read, forwardTo: forwardTo.url }, 'expired', undefined, NOW_MS)?.headers ?? {}
  t.match(silence, { 'x-duration-seconds': '0', 'x-function-status': '503', 'x-all': `${call.id}  expired   1 1` })
  for (const name of ['x-error', 'x-correlation']) t.notOk(name in silence, 'what comes to nothing is left out')
})

t.test('a template that cannot be filled is refused when it is accepted', async (t) => {
  for (const template of ['{', 'a{x}', '{id', '{id|{x}', '{toString}', '{}', '{{{', '{ id }', '{STATUS}'])
    t.match(
      failureOf(() =>
        parseInstruction({ target: 'http://a/', forwardTo: { url: 'http://b/', headers: { a: template } } }, 0),
      ).fields,
      [{ pointer: '/forwardTo/headers/a', code: 'invalid-field', detail: /\{status\|503\}/ }],
      template,
    )
  const wrong: [forwardTo: unknown, pointer: string][] = [
    [{}, '/forwardTo/url'],
    [{ url: 'a' }, '/forwardTo/url'],
    [{ url: 'http://b/', header: {} }, '/forwardTo/header'],
    [{ url: 'http://b/', passHeaders: 'yes' }, '/forwardTo/passHeaders'],
    [{ url: 'http://b/', headers: { 'posthaste-id': 'a' } }, '/forwardTo/headers/posthaste-id'],
    [{ url: 'http://b/', headers: { host: 'a' } }, '/forwardTo/headers/host'],
    [{ url: 'http://b/', headers: { a: 'a\nb' } }, '/forwardTo/headers/a'],
    [{ url: 'http://b/', headers: many(33) }, '/forwardTo/headers'],
  ]
  for (const [forwardTo, pointer] of wrong) {
    const { fields } = failureOf(() => parseInstruction({ target: 'http://a/', forwardTo }, 0))
    t.ok(
      fields.some((field) => field.pointer === pointer),
      JSON.stringify([forwardTo, fields]),
    )
  }
})

t.test('the headers of the response go along if that is wished, but for some', async (t) => {
  const response = {
    ...{ 'content-type': 'a/b', 'x-a': ['1', '2'], 'posthaste-id': 'forged', posthaste_id: 'forged', 'x-b': 'theirs' },
    ...{
      'set-cookie': 'a',
      connection: 'close',
      'transfer-encoding': 'chunked',
      'content-length': '5',
      'x-bad': '\x00',
    },
  }
  const forwardWith = { passHeaders: true, headers: { 'x-b': 'ours' } } as const
  const { headers } = forward(answered(response), { forwardWith })
  t.strictSame(headers, { ...forward(answered({ 'content-type': 'a/b' })).headers, 'x-b': 'ours', 'x-a': ['1', '2'] })
  t.notOk('x-a' in forward(answered(response)).headers)
})

t.test('a forward has no more headers than can be read, whatever stands in them', async (t) => {
  const forwardWith = { passHeaders: true, headers: many(32, '{correlationId}'.repeat(30)) } as const
  const response = { ...many(200, 'b', 'y'), 'content-type': 'a/b', ...many(3, 'z'.repeat(4_000), 'z') }
  const made = forward(answered(response), { forwardWith, correlationId: 'c'.repeat(256) })
  t.strictSame(plain(readBack(made)), plain(made))
  t.match(made.headers, { 'posthaste-id': call.id, 'x-0': /^c+$/, 'content-type': 'a/b', 'y-0': 'b' })
})

function many(count: number, value = 'a', prefix = 'x'): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}-${index}`, value]))
}
