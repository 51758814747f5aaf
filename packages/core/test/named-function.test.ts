import t from 'tap'
import {
  type Call,
  encodeCall,
  functionMapOf,
  functionNameOf,
  functionOf,
  functionUrl,
  matchesFunction,
  type NamedFunction,
  NO_FUNCTIONS,
  originOf,
  parseInstruction,
  pathOf,
  peekOrigin,
  resolveFunction,
  ruleFor,
  withFunction,
} from '../src/index.js'
import { NOW_MS } from './arbitraries.js'
import { failureOf } from './failure.js'

const resize: NamedFunction = {
  name: 'resize',
  url: 'http://10.0.0.5:8080/fn?key=1',
  acceptStatus: 202,
  headers: { 'x-key': 'secret' },
  routes: [],
}
const functions = functionMapOf([resize])
const call: Call = {
  ...{ id: 'a', generation: 1, attempt: 1, acceptedAtMs: NOW_MS, depth: 0, method: 'POST', body: Buffer.from('') },
  ...{ target: 'function://resize/a?b=c', headers: { 'x-key': 'forged', x_key: 'forged', 'x-other': '1' } },
}

t.test('a function is called by its name', async (t) => {
  const parse = (fields: object): string => parseInstruction(fields, NOW_MS).target
  const same: [fields: object, target: string][] = [
    [{ function: 'resize' }, 'function://resize/'],
    [{ function: 'Re-size.v1_x' }, 'function://Re-size.v1_x/'],
    [{ function: 'resize', path: '/a/../b?c=d#e' }, 'function://resize/b?c=d'],
    [{ function: 'resize', path: '?c=d', query: { e: 1 } }, 'function://resize/?c=d&e=1'],
    [{ function: 'resize', path: '/%2e%2e/%2E./ä' }, 'function://resize/%C3%A4'],
    [{ target: 'FUNCTION://resize' }, 'function://resize/'],
    [{ target: 'function://resize//a', query: { b: 2 } }, 'function://resize//a?b=2'],
  ]
  for (const [fields, target] of same) {
    t.equal(parse(fields), target)
    t.equal(parse({ target }), target, 'and stays so')
    t.equal(functionNameOf(target), originOf(target).slice('function://'.length))
    t.equal(originOf(target) + pathOf(target), target)
    t.equal(peekOrigin(encodeCall({ ...call, target })), originOf(target))
  }
  const told = { url: 'function://resize/b', format: 'record' }
  const fields = { target: 'http://a', forwardTo: 'function://resize/a', onSuccess: told.url, onFailure: told }
  t.match(parseInstruction(fields, NOW_MS), { forwardTo: 'function://resize/a', onSuccess: told, onFailure: told })
})

t.test('what names no function is said with its pointer', async (t) => {
  const wrong: [fields: object, pointer: string, code: string][] = [
    [{}, '/target', 'missing-field'],
    [{ function: 'resize', target: 'http://a' }, '/function', 'conflicting-fields'],
    [{ target: 'http://a', path: '/a' }, '/path', 'missing-field'],
    [{ function: '../a' }, '/function', 'invalid-field'],
    [{ function: '' }, '/function', 'invalid-field'],
    [{ function: 'resize\n' }, '/function', 'invalid-field'],
    [{ function: 'a'.repeat(129) }, '/function', 'invalid-field'],
    [{ function: 'resize', path: 'a' }, '/path', 'invalid-field'],
    [{ function: 'resize', path: '/a b' }, '/path', 'invalid-url'],
    [{ function: 'resize', path: '/\\a' }, '/path', 'invalid-url'],
    [{ function: 'resize', path: `/${'a'.repeat(8_192)}` }, '/path', 'invalid-url'],
    ...['..%2f', 'a%2F%2e.%5Cb', '..;/b', '%2e%2E%3Ba'].map((path): [object, string, string] => [
      { function: 'resize', path: `/${path}` },
      ...(['/path', 'invalid-url'] as const),
    ]),
    ...['function://', 'function:///a', 'function://a:80/', 'function://u@a/', 'function://a%20b/'].map(
      (target): [object, string, string] => [{ target }, '/target', 'invalid-url'],
    ),
  ]
  for (const [fields, pointer, code] of wrong) {
    const error = failureOf(() => parseInstruction(fields, NOW_MS))
    t.match(error.fields, [{ pointer, code }], JSON.stringify(fields))
    t.equal(error.fields.length, 1)
  }
})

t.test('path and query of a call come behind those of the function', async (t) => {
  const urls: [url: string, path: string, whole: string][] = [
    ['http://h/', '/', 'http://h/'],
    ['http://h/', '/a', 'http://h/a'],
    ['http://h/fn', '/', 'http://h/fn'],
    ['http://h/fn/', '/a/', 'http://h/fn/a/'],
    ['http://h/fn', '/a?b=c', 'http://h/fn/a?b=c'],
    ['http://h/fn?k=1', '/', 'http://h/fn?k=1'],
    ['http://h/fn?k=1', '/?b=c', 'http://h/fn?k=1&b=c'],
    ['http://h/fn?k=1', '/a?b=/?c', 'http://h/fn/a?k=1&b=/?c'],
    ['http://h/fn', '//evil.example/a', 'http://h/fn//evil.example/a'],
    ['http://h/', '//evil.example/a', 'http://h//evil.example/a'],
  ]
  for (const [url, path, whole] of urls) {
    t.equal(functionUrl({ ...resize, url }, path), whole)
    t.equal(originOf(whole), 'http://h')
  }
})

t.test('what is sent has the headers of the function, and none that could be taken for them', async (t) => {
  const sent = resolveFunction(call, functions)
  t.equal(sent?.target, 'http://10.0.0.5:8080/fn/a?key=1&b=c')
  t.strictSame(Object.entries(sent?.headers ?? {}), [
    ['x-other', '1'],
    ['x-key', 'secret'],
  ])
  const plain = { target: 'http://resize/', headers: {} }
  t.equal(resolveFunction(plain, functions), plain)
  t.equal(resolveFunction({ ...call, target: 'function://Resize/' }, functions), undefined, 'letter case counts')
  t.equal(resolveFunction(call, NO_FUNCTIONS), undefined)
  t.equal(functionOf('http://resize/', functions), undefined)
})

t.test('a function says what its call does not', async (t) => {
  const told = { url: 'http://b/', format: 'record' } as const
  const saying: NamedFunction = {
    ...{ ...resize, timeoutMs: 5, onSuccess: told, onFailure: told },
    ...{ forwardTo: 'http://f/', forwardWith: { passHeaders: true } },
  }
  const says = functionMapOf([saying])
  const { forwardTo, forwardWith, onFailure, onSuccess, timeoutMs } = saying
  t.strictSame(withFunction(call, says), { ...call, forwardTo, forwardWith, onFailure, onSuccess, timeoutMs })
  const own = { url: 'http://own/', format: 'event' } as const
  const full: Call = { ...call, forwardTo: own.url, onSuccess: own, timeoutMs: 9 }
  t.strictSame(withFunction(full, says), { ...full, onFailure: told })
  t.equal(withFunction({ ...full, target: 'http://resize/' }, says).onFailure, undefined)
  t.equal(withFunction(full, NO_FUNCTIONS), full)
})

t.test('rules for places do not fit names', async (t) => {
  const rules = [{ match: { origin: { port: 'any' as const } }, redact: [''] }]
  t.strictSame(ruleFor(rules, 'redact', 'http://resize/'), [''])
  t.equal(ruleFor(rules, 'redact', 'function://resize/'), undefined)
})

t.test('a pattern is a name, or what names begin with', async (t) => {
  const patterns = ['resize', 'img-*']
  for (const name of ['resize', 'img-', 'img-a.b']) t.ok(matchesFunction(patterns, name), name)
  for (const name of ['resize2', 'Resize', 'img', 'aimg-']) t.notOk(matchesFunction(patterns, name), name)
  t.ok(matchesFunction(['*'], 'any'))
  t.notOk(matchesFunction([], 'any'))
})
