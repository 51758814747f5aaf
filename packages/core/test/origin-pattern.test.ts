import t from 'tap'
import { matchesOrigin, parseOriginPattern, readOrigin } from '../src/index.js'

t.test('a pattern means origins', async (t) => {
  const meant: Readonly<Record<string, readonly string[]>> = {
    'https://api.example.com': [
      'https://api.example.com/a?b',
      'https://api.example.com:443',
      'https://API.example.com.',
    ],
    'HTTP://API.Example.COM': ['http://api.example.com'],
    'https://*.example.com': ['https://a.example.com', 'https://a.b.example.com'],
    '*://example.com': ['http://example.com', 'https://example.com'],
    '*://example.com:8443': ['https://example.com:8443', 'http://example.com:8443'],
    'https://*': ['https://anything', 'https://[::1]'],
    'https://example.com:*': ['https://example.com', 'https://example.com:1'],
    'http://0x7f.1': ['http://127.0.0.1', 'http://2130706433'],
    'http://[0:0::1]:8080': ['http://[::1]:8080'],
    'https://bücher.example': ['https://xn--bcher-kva.example'],
  }
  const all = [...new Set(Object.values(meant).flat()), 'https://example.com.evil.com', 'https://evilexample.com']
  for (const [text, urls] of Object.entries(meant)) {
    const pattern = parseOriginPattern(text)
    if (!pattern) throw new Error(`${text} is none`)
    for (const url of urls) t.ok(matchesOrigin(pattern, readOrigin(url)), `${text} means ${url}`)
    const others = all.filter((url) => !urls.includes(url) && matchesOrigin(pattern, readOrigin(url)))
    // What else is meant is meant by another spelling, or by a star.
    for (const url of others) t.ok(/\*/.test(text) || readOrigin(url).host === readOrigin(text).host, `${text} ${url}`)
  }
  for (const url of ['https://example.com.evil.com', 'https://evilexample.com', 'https://example.com'])
    t.notOk(matchesOrigin(parseOriginPattern('https://*.example.com') ?? {}, readOrigin(url)), url)
})

t.test('anything else is none', async (t) => {
  const none = [
    '',
    '*',
    'example.com',
    'ftp://a',
    'https://',
    'https://a/b',
    'https://a:0',
    'https://a:65536',
    'https://a.*',
  ]
  for (const text of [
    ...none,
    'https://*a',
    'https://u@a',
    'https://a?b',
    'https://a#b',
    'https://a b',
    'https://[::g]',
  ])
    t.equal(parseOriginPattern(text), undefined, text)
})
