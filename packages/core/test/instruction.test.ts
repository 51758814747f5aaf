import t from 'tap'
import { type CallContent, type ErrorCode, parseInstruction } from '../src/index.js'
import { DAY_MS, NOW_MS } from './arbitraries.js'
import { errorOf, failureOf } from './failure.js'

const target = 'https://api.example.com/resize'
const parse = (fields: object): CallContent => parseInstruction({ target, ...fields }, NOW_MS)
const isoAt = (ms: number): string => new Date(NOW_MS + ms).toISOString()

type Fault = readonly [what: string, fields: object, code: ErrorCode, pointer: string]

const WRONG_TYPES: readonly Fault[] = [
  ...['target', 'headers', 'query', 'bodyEncoding', 'forwardTo', 'correlationId', 'notBefore', 'delay'],
  ...['timeout', 'expiresAt', 'expiresIn', 'retry'],
].flatMap((name) =>
  [5, true, null, ['a']].map((value): Fault => [`${name} ${value}`, { [name]: value }, 'invalid-field', `/${name}`]),
)

const WRONG_SHAPES: readonly Fault[] = [
  ['an unknown field', { traget: 'x' }, 'unknown-field', '/traget'],
  ['an unknown field whose name needs escaping', { 'a/b~c': 1 }, 'unknown-field', '/a~1b~0c'],
  ['__proto__ as a field', JSON.parse('{"__proto__": {"method": "GET"}}'), 'unknown-field', '/__proto__'],
  ['an unknown field of retry', { retry: { attempts: 1 } }, 'unknown-field', '/retry/attempts'],
  ['a number as method', { method: 5 }, 'invalid-method', '/method'],
  ['a method in small letters', { method: 'post' }, 'invalid-method', '/method'],
  ['a method with a blank', { method: 'GET /' }, 'invalid-method', '/method'],
  ['no method', { method: '' }, 'invalid-method', '/method'],
  ['a method of 33 letters', { method: 'A'.repeat(33) }, 'invalid-method', '/method'],
  ['CONNECT', { method: 'CONNECT' }, 'invalid-method', '/method'],
  ['TRACE', { method: 'TRACE' }, 'invalid-method', '/method'],
  ['a number as header', { headers: { a: 1 } }, 'invalid-field', '/headers/a'],
  ['null as header', { headers: { a: null } }, 'invalid-field', '/headers/a'],
  ['a list of numbers as header', { headers: { a: [1] } }, 'invalid-field', '/headers/a'],
  ['a number as header with a line break in its name', { headers: { 'a\nb': 1 } }, 'invalid-field', '/headers/a\nb'],
  ['null as query', { query: { a: null } }, 'invalid-field', '/query/a'],
  ['an object as query', { query: { a: {} } }, 'invalid-field', '/query/a'],
  ['lists in lists as query', { query: { a: [['b']] } }, 'invalid-field', '/query/a'],
  ['a number without end as query', { query: JSON.parse('{"a": 1e999}') }, 'invalid-field', '/query/a'],
  ['an object under a name with a line break', { query: { 'a\nb': { toString: 1 } } }, 'invalid-field', '/query/a\nb'],
  ['201 query parameters', { query: many(201) }, 'invalid-field', '/query'],
  ['no correlation id', { correlationId: '' }, 'invalid-field', '/correlationId'],
  ['a blank before the correlation id', { correlationId: ' a' }, 'invalid-field', '/correlationId'],
  ['a blank behind the correlation id', { correlationId: 'a ' }, 'invalid-field', '/correlationId'],
  ['a line break in the correlation id', { correlationId: 'a\nb' }, 'invalid-field', '/correlationId'],
  ['a correlation id beyond ASCII', { correlationId: 'é' }, 'invalid-field', '/correlationId'],
  ['a correlation id of 257 letters', { correlationId: 'a'.repeat(257) }, 'invalid-field', '/correlationId'],
  ['an unknown encoding', { body: 'a', bodyEncoding: 'hex' }, 'invalid-field', '/bodyEncoding'],
]

const WRONG_CONTENT: readonly Fault[] = [
  ['a relative target', { target: '/resize' }, 'invalid-url', '/target'],
  ['a target that is no http', { target: 'ftp://a/' }, 'invalid-url', '/target'],
  ['credentials', { target: 'http://u:p@a/' }, 'invalid-url', '/target'],
  ['empty credentials', { target: 'http://@host' }, 'invalid-url', '/target'],
  ['port 0', { target: 'http://a:0/' }, 'invalid-url', '/target'],
  ['a blank in the target', { target: 'http://a/b c' }, 'invalid-url', '/target'],
  ['a backslash in the target', { target: 'http://a\\b' }, 'invalid-url', '/target'],
  ['a target that its query makes too long', { query: { a: 'b'.repeat(8_200) } }, 'invalid-url', '/target'],
  ['a relative destination', { onSuccess: 'done' }, 'invalid-url', '/onSuccess'],
  ['a destination with a relative URL', { onFailure: { url: 'done' } }, 'invalid-url', '/onFailure/url'],
  ['a relative forward', { forwardTo: 'done' }, 'invalid-url', '/forwardTo'],
  ['a forward with credentials', { forwardTo: 'http://@host' }, 'invalid-url', '/forwardTo'],
  ['a forward that is too long', { forwardTo: `http://a/${'b'.repeat(8_192)}` }, 'invalid-url', '/forwardTo'],
  ['an illegal header name', { headers: { 'a b': '1' } }, 'invalid-header', '/headers/a b'],
  ['a line break in a header', { headers: { a: '1\r\nb: 2' } }, 'invalid-header', '/headers/a'],
  ['a header of the connection', { headers: { 'Content-Length': '1' } }, 'forbidden-header', '/headers/Content-Length'],
  ['a header of ours', { headers: { 'Posthaste-Id': '1' } }, 'forbidden-header', '/headers/Posthaste-Id'],
  ['one header in two letter cases', { headers: { A: '1', a: '1' } }, 'conflicting-fields', '/headers/a'],
  ['101 headers', { headers: many(101) }, 'invalid-header', '/headers'],
  ['headers too large', { headers: { a: 'b'.repeat(16_384) } }, 'invalid-header', '/headers'],
  ['an encoding without a body', { bodyEncoding: 'text' }, 'missing-field', '/bodyEncoding'],
  ['an object as text', { body: {}, bodyEncoding: 'text' }, 'invalid-body', '/body'],
  ['a number as base64', { body: 1, bodyEncoding: 'base64' }, 'invalid-body', '/body'],
  ['null as text', { body: null, bodyEncoding: 'text' }, 'invalid-body', '/body'],
  ...['a', 'ab', 'abc', 'abcde', 'ab=', 'a===', '====', 'ab=c', 'ab-_', 'ab c', 'abc=\n', 'äbcd'].map(
    (body): Fault => [`base64 ${JSON.stringify(body)}`, { body, bodyEncoding: 'base64' }, 'invalid-body', '/body'],
  ),
  ['a body nested too deeply', { body: nested(200_000) }, 'invalid-body', '/body'],
  ...[
    'tomorrow',
    '2026-02-30T00:00:00Z',
    '2026-06-02T25:00:00Z',
    '2026-06-02T00:00:00',
    isoAt(366 * DAY_MS + 1),
  ].flatMap((time): Fault[] => [
    [`not before ${time}`, { notBefore: time }, 'invalid-time', '/notBefore'],
    [`expires at ${time}`, { expiresAt: time }, 'invalid-time', '/expiresAt'],
  ]),
  ...['10', '-1s', 'P1M', '1y', '', '367d', '8784.1h'].flatMap((text): Fault[] => [
    [`a delay of "${text}"`, { delay: text }, 'invalid-duration', '/delay'],
    [`expires in "${text}"`, { expiresIn: text }, 'invalid-duration', '/expiresIn'],
  ]),
  ...['1', '-1s', '0ms', '0.4ms', '3600001ms', '2h'].map(
    (text): Fault => [`a time-out of "${text}"`, { timeout: text }, 'invalid-duration', '/timeout'],
  ),
  ['notBefore and delay', { notBefore: isoAt(1), delay: '1s' }, 'conflicting-fields', '/delay'],
  ['expiresAt and expiresIn', { expiresAt: isoAt(1), expiresIn: '1s' }, 'conflicting-fields', '/expiresIn'],
  ['expires at its start', { notBefore: isoAt(5), expiresAt: isoAt(5) }, 'invalid-time', '/expiresAt'],
  ['expires in less than its delay', { delay: '2s', expiresIn: '1s' }, 'invalid-time', '/expiresIn'],
]

const WRONG_RETRY: readonly Fault[] = [
  ['no attempts', { maxAttempts: 0 }, 'invalid-field', '/retry/maxAttempts'],
  ['101 attempts', { maxAttempts: 101 }, 'invalid-field', '/retry/maxAttempts'],
  ['one and a half attempts', { maxAttempts: 1.5 }, 'invalid-field', '/retry/maxAttempts'],
  ['attempts as a string', { maxAttempts: '5' }, 'invalid-field', '/retry/maxAttempts'],
  ['a factor below 1', { factor: 0.9 }, 'invalid-field', '/retry/factor'],
  ['a factor beyond 10', { factor: 10.1 }, 'invalid-field', '/retry/factor'],
  ['an unknown jitter', { jitter: 'some' }, 'invalid-field', '/retry/jitter'],
  ['a number as delay', { initialDelay: 1_000 }, 'invalid-field', '/retry/initialDelay'],
  ['a delay that is none', { initialDelay: '1 s' }, 'invalid-duration', '/retry/initialDelay'],
  ['a delay beyond 7 days', { initialDelay: '604800001ms' }, 'invalid-duration', '/retry/initialDelay'],
  ['a largest delay that is none', { maxDelay: 'P1M' }, 'invalid-duration', '/retry/maxDelay'],
  ['a largest delay beyond 7 days', { maxDelay: '8d' }, 'invalid-duration', '/retry/maxDelay'],
  ['no age', { maxAge: '0ms' }, 'invalid-duration', '/retry/maxAge'],
  ['an age beyond 366 days', { maxAge: '367d' }, 'invalid-duration', '/retry/maxAge'],
  ['a status that is a success', { statuses: ['5xx', '200'] }, 'invalid-field', '/retry/statuses/1'],
  ['a status that is none', { statuses: [600] }, 'invalid-field', '/retry/statuses/0'],
  ['a class with a sign', { statuses: ['!501'] }, 'invalid-field', '/retry/statuses/0'],
  ['an error that no call has', { errors: ['timeout', 'status'] }, 'invalid-field', '/retry/errors/1'],
  ['statuses as a text', { statuses: '5xx' }, 'invalid-field', '/retry/statuses'],
].map(([what, retry, code, pointer]) => [what, { retry }, code, pointer] as Fault)

t.test('what is wrong is said with its code and pointer', async (t) => {
  for (const [what, fields, code, pointer] of [...WRONG_TYPES, ...WRONG_SHAPES, ...WRONG_CONTENT, ...WRONG_RETRY]) {
    const error = failureOf(() => parse(fields))
    t.equal(error.code, code, what)
    t.match(error.fields[0], { pointer, code, detail: /\.$/ }, `${what}: the field`)
    t.ok(
      error.fields.every((field) => field.pointer.startsWith(pointer)),
      `${what}: no other field is blamed`,
    )
  }
})

t.test('what is no object has no field to blame', async (t) => {
  for (const input of [undefined, null, 5, 'a', true, [], [{ target }]]) {
    t.match(failureOf(() => parseInstruction(input, NOW_MS)).fields, [{ pointer: '', code: 'invalid-field' }])
  }
})

t.test('a target is needed', async (t) => {
  t.match(failureOf(() => parseInstruction({}, NOW_MS)).fields, [{ pointer: '/target', code: 'missing-field' }])
})

t.test('every wrong field is named, once', async (t) => {
  const shapes = { ...Object.assign({}, ...WRONG_TYPES.map(([, fields]) => fields)), method: 'get', x: 1 }
  const ofShapes = failureOf(() => parse({ ...shapes, retry: { jitter: 1, factor: 0 } })).fields
  t.strictSame(
    ofShapes.map((field) => field.pointer).sort(),
    [...Object.keys(shapes).filter((name) => name !== 'retry'), 'retry/factor', 'retry/jitter']
      .map((n) => `/${n}`)
      .sort(),
  )
  const ofContent = failureOf(() =>
    parse({
      target: 'a',
      method: 'TRACE',
      headers: { host: 'a', 'b c': '1' },
      body: {},
      bodyEncoding: 'text',
      forwardTo: 'b',
      notBefore: 'c',
      expiresIn: 'd',
      timeout: 'e',
      retry: { initialDelay: 'f', maxDelay: 'g' },
    }),
  )
  t.strictSame(
    ofContent.fields.map((field) => field.pointer),
    [
      '/target',
      '/method',
      '/headers/host',
      '/headers/b c',
      '/body',
      '/forwardTo',
      '/notBefore',
      '/expiresIn',
      '/timeout',
    ].concat(['/retry/initialDelay', '/retry/maxDelay']),
  )
})

t.test('a union is explained by its choices', async (t) => {
  const details = failureOf(() => parse({ headers: { a: 1 }, query: { a: null }, retry: { jitter: 'x' } })).fields
  t.match(details, [{ detail: /string or a list/ }, { detail: /number, true or false/ }, { detail: /"none"/ }])
  t.match(failureOf(() => parse({ body: '', bodyEncoding: 'x' })).fields, [{ detail: /"base64"/ }])
  t.match(failureOf(() => parse({ retry: { errors: ['x'] } })).fields, [{ detail: /one of timeout, / }])
  t.match(failureOf(() => parse({ retry: { statuses: ['x'] } })).fields, [{ detail: /"5xx"/ }])
  t.match(failureOf(() => parse({ onSuccess: 5 })).fields, [{ pointer: '/onSuccess', detail: /a URL, or/ }])
  const [first] = failureOf(() => parse({ onFailure: { url: 'http://a/', format: 'x' } })).fields
  t.match(first, { pointer: '/onFailure', detail: /cloudevents/ })
})

t.test('the least instruction', async (t) => {
  const { headers, body, ...rest } = parse({})
  t.strictSame(rest, { target })
  t.strictSame(Object.entries(headers), [])
  t.equal(body.length, 0)
})

t.test('the whole instruction', async (t) => {
  const { headers, body, ...rest } = parse({
    target: `${target}?v=1#top`,
    method: 'PUT',
    headers: { 'X-A': '1', 'x-b': ['1', '2'] },
    query: { size: 'l', tag: ['a', 'b'], on: true },
    body: { any: 'json' },
    forwardTo: 'HTTPS://hooks.example.com',
    correlationId: 'order 42',
    notBefore: '2026-06-01T14:00:00+01:00',
    timeout: '30s',
    expiresIn: '2d',
    retry: { maxAttempts: 7, initialDelay: '2s', factor: 1.5, maxDelay: '5m', jitter: 'none' },
  })
  t.strictSame(rest, {
    target: `${target}?v=1&size=l&tag=a&tag=b&on=true`,
    method: 'PUT',
    forwardTo: 'https://hooks.example.com/',
    correlationId: 'order 42',
    notBeforeMs: NOW_MS + 3_600_000,
    expiresAtMs: NOW_MS + 2 * DAY_MS,
    timeoutMs: 30_000,
    retry: { maxAttempts: 7, initialDelayMs: 2_000, factor: 1.5, maxDelayMs: 300_000, jitter: 'none' },
  })
  t.strictSame(Object.entries(headers), [
    ['x-a', '1'],
    ['x-b', ['1', '2']],
    ['content-type', 'application/json'],
  ])
  t.equal(String(body), '{"any":"json"}')
})

t.test('bodies and their types', async (t) => {
  const json = 'application/json'
  const text = 'text/plain; charset=utf-8'
  const binary = 'application/octet-stream'
  const bodies: [object, string, string | undefined][] = [
    [{}, '', undefined],
    [{ body: undefined }, '', undefined],
    [{ body: null }, 'null', json],
    [{ body: false }, 'false', json],
    [{ body: 0 }, '0', json],
    [{ body: [] }, '[]', json],
    [{ body: { a: 'ä' } }, '{"a":"ä"}', json],
    [{ body: JSON.parse('{"__proto__": {"a": 1}}') }, '{"__proto__":{"a":1}}', json],
    [{ body: '' }, '', text],
    [{ body: 'ä\n\u{1f600}' }, 'ä\n\u{1f600}', text],
    [{ body: '{"a":1}', bodyEncoding: 'text' }, '{"a":1}', text],
    [{ body: '\ud800' }, '\ufffd', text],
    [{ body: 'a', bodyEncoding: 'json' }, '"a"', json],
    [{ body: { a: 1 }, bodyEncoding: 'json' }, '{"a":1}', json],
    [{ body: '', bodyEncoding: 'base64' }, '', binary],
    [{ body: 'YQ==', bodyEncoding: 'base64' }, 'a', binary],
    [{ body: 'YWI=', bodyEncoding: 'base64' }, 'ab', binary],
    [{ body: 'YWJj', bodyEncoding: 'base64' }, 'abc', binary],
  ]
  for (const [fields, bytes, type] of bodies) {
    const call = parse(fields)
    t.equal(Buffer.from(call.body).toString(), bytes, JSON.stringify(fields))
    t.equal(call.headers['content-type'], type)
    t.equal(parse({ ...fields, headers: { 'Content-TYPE': 'a/b' } }).headers['content-type'], 'a/b', 'its own wins')
  }
  t.strictSame([...parse({ body: '+/8=', bodyEncoding: 'base64' }).body], [0xfb, 0xff])
})

t.test('the outermost values that are allowed', async (t) => {
  const outermost = [
    { method: 'A'.repeat(32) },
    { query: many(200) },
    { headers: many(100) },
    { correlationId: 'a'.repeat(256) },
    { correlationId: '!' },
    { notBefore: isoAt(366 * DAY_MS) },
    { notBefore: isoAt(-366 * DAY_MS) },
    { delay: '366d' },
    { delay: '0s' },
    { expiresAt: isoAt(366 * DAY_MS) },
    { delay: '1s', expiresIn: '1001ms' },
    { timeout: '1ms' },
    { timeout: '1h' },
    { retry: {} },
    { retry: { maxAttempts: 1, factor: 1, initialDelay: '0ms', maxDelay: '0ms', jitter: 'equal' } },
    { retry: { maxAttempts: 100, factor: 10, initialDelay: '7d', maxDelay: '7d', jitter: 'full' } },
  ]
  for (const fields of outermost)
    t.equal(
      errorOf(() => parse(fields)),
      undefined,
      JSON.stringify(fields).slice(0, 80),
    )
})

t.test('nothing of the prototype is taken for a field', async (t) => {
  const call = parse({
    query: JSON.parse('{"__proto__": "1", "constructor": ["2"]}'),
    headers: JSON.parse('{"__proto__": "1", "constructor": ["2"]}'),
  })
  t.equal(call.target, `${target}?__proto__=1&constructor=2`)
  t.strictSame(Object.entries(call.headers), [
    ['__proto__', '1'],
    ['constructor', ['2']],
  ])
  t.strictSame(Object.keys(Object.prototype), [])
})

function many(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, '1']))
}

function nested(depth: number): unknown {
  return JSON.parse('['.repeat(depth) + ']'.repeat(depth))
}
