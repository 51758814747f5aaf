import t from 'tap'
import type { FieldError } from '../src/index.js'
import { originOf, pathOf } from '../src/index.js'
import { checkUrl, type Query } from '../src/url.js'

const good: [string, Query | undefined, string][] = [
  ['http://a', undefined, 'http://a/'],
  ['https://a:443/b', undefined, 'https://a/b'],
  ['HTTP://Example.COM:8080/B?c#d', undefined, 'http://example.com:8080/B?c'],
  ['http://a/b/../c', undefined, 'http://a/c'],
  ['http://bücher.example/ä?ö', undefined, 'http://xn--bcher-kva.example/%C3%A4?%C3%B6'],
  ['http://[::1]:80/', undefined, 'http://[::1]/'],
  ['http://a/@b?c=d@e', undefined, 'http://a/@b?c=d@e'],
  ['http://a', {}, 'http://a/'],
  ['http://a', { x: '1' }, 'http://a/?x=1'],
  ['http://a/b?', { x: '1' }, 'http://a/b?x=1'],
  ['http://a/b?y=2', { x: '1' }, 'http://a/b?y=2&x=1'],
  ['http://a/b?y=2#z', { x: '1' }, 'http://a/b?y=2&x=1'],
  ['http://a', { x: [] }, 'http://a/'],
  ['http://a', { x: ['1', '2'], y: [true, 3] }, 'http://a/?x=1&x=2&y=true&y=3'],
  ['http://a', { x: false, y: 0, z: '', n: -1.5 }, 'http://a/?x=false&y=0&z=&n=-1.5'],
  ['http://a', { 'a b': '&=?#/+%' }, 'http://a/?a%20b=%26%3D%3F%23%2F%2B%25'],
  ['http://a', { ü: '日本\u{1f600}' }, 'http://a/?%C3%BC=%E6%97%A5%E6%9C%AC%F0%9F%98%80'],
  ['http://a', { x: '\ud800', '\udc00': 'y' }, 'http://a/?x=%EF%BF%BD&%EF%BF%BD=y'],
  ['http://a', { x: "it's", "'": 'a\nb' }, 'http://a/?x=it%27s&%27=a%0Ab'],
]

const bad: [string, RegExp][] = [
  ['', /absolute/],
  ['/path', /absolute/],
  ['//host/path', /absolute/],
  ['host/path', /absolute/],
  ['http:host', /absolute/],
  ['http:/host', /absolute/],
  ['http:///host', /absolute/],
  ['http://', /absolute/],
  ['ftp://host', /absolute/],
  ['file:///etc/passwd', /absolute/],
  ['javascript://host', /absolute/],
  ['http://?a', /cannot be read/],
  ['http://a:99999', /cannot be read/],
  ['http://[::1', /cannot be read/],
  ['http://a<b/', /cannot be read/],
  ['http://u:p@host', /Credentials/],
  ['http://u@host', /Credentials/],
  ['http://@host', /Credentials/],
  ['http://:@host/', /Credentials/],
  ['http://host:0/', /Port 0/],
  ['http://host:000', /Port 0/],
  [' http://host', /blanks/],
  ['http://host/a b', /blanks/],
  ['http://host/\t', /blanks/],
  ['http://host\n', /blanks/],
  ['http://host/\0', /blanks/],
  ['http://host/\x7f', /blanks/],
  ['http:\\\\host', /blanks/],
  ['http://host\\@other/', /blanks/],
]

t.test('a URL comes out as it is called', async (t) => {
  for (const [text, query, href] of good) {
    const errors: FieldError[] = []
    t.equal(checkUrl(text, query, '/target', errors), href, `${text} ${JSON.stringify(query)}`)
    t.strictSame(errors, [])
    t.equal(checkUrl(href, undefined, '/target', errors), href, 'and stays so when it is read again')
  }
})

t.test('a URL that cannot be called is refused', async (t) => {
  for (const [text, detail] of bad) {
    const errors: FieldError[] = []
    t.equal(checkUrl(text, undefined, '/forwardTo', errors), '')
    t.match(errors, [{ pointer: '/forwardTo', code: 'invalid-url', detail }], JSON.stringify(text))
    t.equal(errors.length, 1)
  }
})

t.test('a URL may have 8 KiB, its query included', async (t) => {
  const lengths: [number, number][] = [
    [8192, 0],
    [8193, 1],
  ]
  for (const [length, faults] of lengths) {
    const errors: FieldError[] = []
    checkUrl(`http://a/${'b'.repeat(length - 9)}`, undefined, '/target', errors)
    checkUrl('http://a/', { b: 'c'.repeat(length - 12) }, '/target', errors)
    checkUrl('http://a/', { b: `${"'".repeat(10)}${'c'.repeat(length - 42)}` }, '/target', errors)
    t.strictSame(
      errors.map((error) => error.code),
      Array(faults * 3).fill('invalid-url'),
      `${length} bytes`,
    )
  }
})

t.test('origin and path are the two halves of a checked URL', async (t) => {
  const halves: [string, string, string][] = [
    ['http://a/', 'http://a', '/'],
    ['https://a.example:8443/b/c?d=/e', 'https://a.example:8443', '/b/c?d=/e'],
    ['http://[::1]:80/?x', 'http://[::1]:80', '/?x'],
    ['http://a', 'http://a', '/'],
  ]
  for (const [url, origin, path] of halves) {
    t.equal(originOf(url), origin)
    t.equal(pathOf(url), path)
  }
})
