import t from 'tap'
import { checkHeaders, type Headers, isHeaderValue } from '../src/headers.js'
import type { FieldError } from '../src/index.js'

function check(input: Headers, ownAllowed = false): { errors: FieldError[]; checked: Headers } {
  const errors: FieldError[] = []
  return { checked: checkHeaders(input, { ownAllowed }, errors), errors }
}

const named = (count: number, value: string): Headers =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${String(i).padStart(3, '0')}`, value]))

t.test('names are lowered, values kept', async (t) => {
  const { checked, errors } = check({ 'X-A': ' 1\t', "x!#$%&'*+-.^_`|~9": ['', 'é\xff\x80'], ACCEPT: '' })
  t.strictSame(errors, [])
  t.strictSame(Object.entries(checked), [
    ['x-a', ' 1\t'],
    ["x!#$%&'*+-.^_`|~9", ['', 'é\xff\x80']],
    ['accept', ''],
  ])
})

t.test('illegal names', async (t) => {
  for (const name of ['', ' ', 'a b', 'a:', 'a\r\nb', 'a\0', 'ä', '(a)', 'a,b', '\u212a', 'x-\u212a'])
    t.match(check({ [name]: 'v' }).errors, [{ code: 'invalid-header', detail: /name/ }], JSON.stringify(name))
  t.equal(check({ 'a/b~c': '1' }).errors[0]?.pointer, '/headers/a~1b~0c', 'the pointer is escaped')
})

t.test('illegal values', async (t) => {
  for (const value of ['a\r\nb: c', 'a\n', '\r', '\0', '\x1f', '\x7f', 'Ā', '日', '\ud800', '\u{1f600}']) {
    const error = { pointer: '/headers/X', code: 'invalid-header', detail: /value/ }
    t.match(check({ X: value }).errors, [error], JSON.stringify(value))
    t.match(check({ X: ['fine', value] }).errors, [error], `${JSON.stringify(value)} in a list`)
    t.notOk(isHeaderValue(value))
  }
})

t.test('headers of the connection are refused in any case, whoever asks', async (t) => {
  const names = ['connection', 'content-length', 'expect', 'host', 'keep-alive', 'proxy-authenticate', 'te', 'trailer']
  names.push('proxy-authorization', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings')
  for (const name of names.flatMap((lower) => [lower, lower.toUpperCase()])) {
    for (const ownAllowed of [false, true])
      t.match(check({ [name]: '1' }, ownAllowed).errors, [{ pointer: `/headers/${name}`, code: 'forbidden-header' }])
  }
})

t.test('what a server may take for such a header is refused too', async (t) => {
  for (const name of ['content_length', 'Transfer.Encoding', 'posthaste_id', 'Posthaste_', 'POSTHASTE.STATE']) {
    for (const ownAllowed of [false, true])
      t.match(check({ [name]: '1' }, ownAllowed).errors, [{ pointer: `/headers/${name}`, code: 'forbidden-header' }])
  }
  t.strictSame(check({ HOST_: '1', x_forwarded_for: '1' }).errors, [], 'that is another name')
})

t.test('our own headers are for records', async (t) => {
  for (const name of ['posthaste-id', 'Posthaste-State', 'POSTHASTE-']) {
    t.match(check({ [name]: '1' }).errors, [{ pointer: `/headers/${name}`, code: 'forbidden-header' }])
    t.strictSame(check({ [name]: '1' }, true).errors, [])
  }
  t.strictSame(check({ posthaste: '1' }).errors, [])
})

t.test('one header in two letter cases', async (t) => {
  t.match(check({ 'X-A': '1', 'x-b': '2', 'x-a': '3' }).errors, [
    { pointer: '/headers/x-a', code: 'conflicting-fields' },
  ])
})

t.test('names of the prototype are names as any', async (t) => {
  const { checked, errors } = check(JSON.parse('{"__proto__": ["1"], "constructor": "2", "toString": "3"}'))
  t.strictSame(errors, [])
  t.strictSame(Object.entries(checked), [
    ['__proto__', ['1']],
    ['constructor', '2'],
    ['tostring', '3'],
  ])
})

t.test('an empty list is no header', async (t) => {
  const { checked, errors } = check({ 'x-a': [], 'X-A': '1', 'x-b': [] })
  t.strictSame(errors, [])
  t.strictSame(Object.entries(checked), [['x-a', '1']])
  t.match(check({ host: [] }).errors, [{ code: 'forbidden-header' }])
})

t.test('a hundred headers, each value of a list counted', async (t) => {
  t.strictSame(check(named(100, '1')).errors, [])
  const error = { pointer: '/headers', code: 'invalid-header', detail: /100 headers.* 101/ }
  t.match(check(named(101, '1')).errors, [error])
  t.match(check({ ...named(98, '1'), x: ['1', '2', '3'] }).errors, [error])
})

t.test('16 KiB, the name counted with each value', async (t) => {
  t.strictSame(check({ x: 'v'.repeat(16_383) }).errors, [])
  t.match(check({ x: 'v'.repeat(16_384) }).errors, [{ pointer: '/headers', code: 'invalid-header', detail: /16385/ }])
  t.strictSame(check({ xx: ['v'.repeat(8_190), 'v'.repeat(8_190)] }).errors, [])
  t.equal(check({ xx: ['v'.repeat(8_190), 'v'.repeat(8_191)] }).errors.length, 1)
})
