import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { type FunctionSurroundings, parseFunctionFile, type SecretReader } from '../src/index.js'
import { anyJson } from './arbitraries.js'
import { errorOf } from './failure.js'
import { holds } from './property.js'

const asGiven: SecretReader = (source) =>
  typeof source === 'string' ? { value: source } : { fault: `${Object.values(source)[0]} is empty.` }

const url = 'http://10.0.0.5:8080/resize'
const parse = (functions: unknown, surroundings?: FunctionSurroundings) =>
  parseFunctionFile({ functions }, asGiven, surroundings)

function faultsOf(functions: unknown, surroundings?: FunctionSurroundings): string[] {
  const { fields = [] } = errorOf(() => parse(functions, surroundings)) ?? {}
  return fields.map(({ detail, pointer }) => `${pointer} ${detail}`)
}

t.test('a URL is all that a function needs', async (t) => {
  t.strictSame(parse({ resize: { url } }), [{ name: 'resize', url, acceptStatus: 202, headers: {}, routes: [] }])
  t.strictSame(parse({}), [])
})

t.test('all that can be said of a function', async (t) => {
  const limits = { concurrency: 4, requestsPerSecond: 10, burst: 20, bodyBytes: 1_048_576 }
  const functions = parse(
    {
      'resize.images': {
        ...{ url: 'HTTP://h?a=b#c', method: 'PUT', timeout: '60s', syncTimeout: '29s', limits, acceptStatus: 200 },
        retry: { maxAttempts: 3, initialDelay: '1m', statuses: [503] },
        acceptBody: { message: 'Event received.' },
        headers: { 'X-Key': 'secret', 'x-plain': 'text' },
        forwardTo: { url: 'function://other/done', headers: { 'X-Status': '{status|503}' } },
        onSuccess: 'http://b',
        onFailure: { url: 'http://c/', format: 'event' },
        ...{ routes: ['/square', '/a/b%20c'], doors: ['openfaas'] },
      },
      other: { url, doors: [] },
    },
    { doors: ['openfaas', 'aws'], ownPaths: ['invocations'] },
  )
  t.strictSame(functions[0], {
    ...{ name: 'resize.images', url: 'http://h/?a=b', method: 'PUT', timeoutMs: 60_000, syncTimeoutMs: 29_000 },
    ...{ limits, acceptStatus: 200, acceptBody: { message: 'Event received.' } },
    retry: { maxAttempts: 3, initialDelayMs: 60_000, statuses: ['503'] },
    headers: { 'x-key': 'secret', 'x-plain': 'text' },
    forwardTo: 'function://other/done',
    forwardWith: functions[0]?.forwardWith,
    onSuccess: { url: 'http://b/', format: 'record' },
    onFailure: { url: 'http://c/', format: 'event' },
    ...{ routes: ['/square', '/a/b%20c'], doors: ['openfaas'] },
  })
  t.match(functions[0]?.forwardWith, { headers: { 'x-status': '{status|503}' } })
  t.strictSame(functions[1]?.doors, [])
  t.match(structuredClone(functions), functions, 'it goes to another thread')
})

t.test('everything that is wrong is said at once, and no secret', async (t) => {
  const faults = faultsOf(
    {
      'a/b': { url: 'function://other' },
      ftp: { url: 'ftp://h', timeout: '2h', syncTimeout: 'soon', method: 'TRACE', retry: { maxDelay: '8d' } },
      shapes: { uri: url, limits: { concurrency: 0 }, acceptStatus: 201, onSuccess: 5, headers: { a: 1 } },
      headers: {
        url,
        headers: { 'x-a': 'hunter2\n', 'X-B': 'hunter2', 'x-b': 'hunter2', host: 'hunter2', 'x-c': { env: 'NOT_SET' } },
      },
      told: { url, forwardTo: { url: 'function://nobody', headers: { a: '{x}' } }, onFailure: 'function://none' },
      burst: { url, limits: { burst: 2 } },
      routes: { url, routes: ['/a', '/a', 'b', '/c/', '/', '/d?e', '/f/../g', '/invocations/x', '/ä', '/h#i'] },
      others: { url, routes: ['/a'], doors: ['opnfaas'] },
      5: null,
    },
    { doors: ['openfaas'], ownPaths: ['invocations'] },
  )
  // The first twenty are told.
  t.equal(faults.length, 20)
  t.notMatch(faults.join(), /hunter2/)
  const expected: [functions: object, pointers: RegExp[]][] = [
    [{ 'a/b': { url: 'function://a' } }, [/^\/functions\/a~1b A name/, /^\/functions\/a~1b\/url .*http or https/]],
    [
      { a: { url: 'ftp://h', timeout: '2h', syncTimeout: 'soon', method: 'TRACE', retry: { maxDelay: '8d' } } },
      [/a\/method/, /a\/url/, /a\/timeout/, /a\/syncTimeout/, /a\/retry\/maxDelay/],
    ],
    [
      { a: { uri: url, limits: { concurrency: 0 }, acceptStatus: 201, onSuccess: 5 } },
      [/a\/acceptStatus .*200, 202/, /a\/limits\/concurrency/, /a\/onSuccess .*a URL, or/, /a\/uri/, /a\/url .*needed/],
    ],
    [
      { a: { url, headers: { 'x-a': 'hunter2\n', 'X-B': '1', 'x-b': '2', host: 'h', 'x-c': { env: 'NOT_SET' } } } },
      [/headers\/x-c NOT_SET is empty/, /headers\/x-a .*line breaks/, /headers\/x-b .*twice/, /headers\/host /],
    ],
    [
      { a: { url, forwardTo: { url: 'function://nobody', headers: { a: '{x}' } }, onFailure: 'function://none/a' } },
      [/a\/forwardTo\/headers\/a .*\{status\}/, /a\/forwardTo .*"nobody"/, /a\/onFailure .*"none"/],
    ],
    [{ a: { url, limits: { burst: 2 } } }, [/a\/limits\/requestsPerSecond Needed/]],
    [{ a: { url, doors: ['opnfaas'] } }, [/a\/doors\/0 .*openfaas/]],
    [{ a: { url, routes: ['/a'] }, b: { url, routes: ['/a', '/a/b'] } }, [/b\/routes\/0 .*"a"/]],
    [
      { a: { url, routes: ['b', '/c/', '/', '/d?e', '/f/../g', '/invocations/x', '/ä', '/h#i', '/j\\k', '//l'] } },
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((index) => new RegExp(`a/routes/${index} `)),
    ],
    [
      { a: { url, routes: ['/%69nvocations', '/100%', '/b%20c'] }, b: { url, routes: ['/%62%20c'] } },
      [/a\/routes\/0 .*beneath/, /a\/routes\/1 /, /b\/routes\/0 .*"a"/],
    ],
    [{ a: null }, [/^\/functions\/a /]],
    [{ a: { url, headers: { a: 1 } } }, [/a\/headers\/a/]],
  ]
  for (const [functions, pointers] of expected) {
    const found = faultsOf(functions, { doors: ['openfaas'], ownPaths: ['invocations'] })
    t.equal(found.length, pointers.length, found.join('\n'))
    for (const pointer of pointers)
      t.ok(
        found.some((fault) => pointer.test(fault)),
        `${pointer} ${found}`,
      )
  }
})

t.test('what is no such file is refused', async (t) => {
  for (const input of [
    undefined,
    null,
    [],
    'x',
    {},
    { functions: null },
    { functions: [] },
    { functions: {}, more: 1 },
  ])
    t.ok(errorOf(() => parseFunctionFile(input, asGiven))?.fields.length, JSON.stringify(input))
})

t.test('whatever stands in it, it is read or said to be wrong, and no secret is said', async (t) => {
  const hostile = fc.constantFrom('__proto__', 'constructor', 'toString', '', 'a\r\nb: c', '../a', 'a%2fb', 'é', 'host')
  const text = fc.oneof(hostile, fc.constantFrom('function://a/', url, '/a', '/%61/../b', '1s'))
  const member = fc.oneof(anyJson, text, fc.dictionary(hostile, fc.oneof(text, anyJson), { maxKeys: 3 }))
  const fields = ['method', 'timeout', 'retry', 'limits', 'acceptBody', 'forwardTo', 'onFailure', 'routes']
  const fn = fc
    .subarray(fields, { maxLength: 2 })
    .chain((some) => fc.record(Object.fromEntries(['url', ...some].map((field) => [field, member]))))
    .chain((one) => fc.constantFrom(one, { ...one, url }))
  const headers = fc.dictionary(hostile, fc.constantFrom('hunter2', 'hunter2\r\n', { env: 'NOT_SET' }), { maxKeys: 3 })
  const file = fc.dictionary(fc.oneof(hostile, fc.constantFrom('a', 'b')), fc.tuple(fn, headers), { maxKeys: 3 })
  let good = 0
  holds(t, 'any file', 2_000, file, (functions) => {
    const input = Object.fromEntries(
      Object.entries(functions).map(([name, [one, headers]]) => [name, { ...one, headers }]),
    )
    const error = errorOf(() => parse(input))
    if (!error) good += Object.keys(functions).length
    else assert.ok(error.fields.length > 0 && !JSON.stringify([error.message, error.fields]).includes('hunter2'))
  })
  t.ok(good > 0, `${good} could be read`)
})
