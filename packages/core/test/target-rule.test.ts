import t from 'tap'
import { parseTargetPattern, ruleFor, type TargetPattern, type TargetRule } from '../src/index.js'

const rule = (match: string, more: Omit<TargetRule, 'match'>): TargetRule => ({
  match: parseTargetPattern(match) as TargetPattern,
  ...more,
})

t.test('a pattern is an origin, and a path if it likes', async (t) => {
  const fits: [pattern: string, url: string][] = [
    ['https://a.example', 'https://a.example/'],
    ['https://a.example', 'https://a.example/x?y'],
    ['https://A.example:443', 'https://a.example/'],
    ['https://a.example', 'https://a.example./x'],
    ['https://*.example', 'https://a.b.example/'],
    ['*://a.example', 'http://a.example/'],
    ['*://*:*', 'http://[::1]:8080/'],
    ['https://a.example/', 'https://a.example/?x'],
    ['https://a.example/*', 'https://a.example/x'],
    ['https://a.example/hooks', 'https://a.example/hooks?x=/other'],
    ['https://a.example/hooks/*', 'https://a.example/hooks/1/2'],
    ['https://a.example/h%C3%A4', 'https://a.example/h%C3%A4'],
    ['https://bücher.example', 'https://xn--bcher-kva.example/'],
  ]
  const others: typeof fits = [
    ['https://a.example', 'http://a.example/'],
    ['https://a.example', 'https://a.example:8443/'],
    ['https://a.example', 'https://b.a.example/'],
    ['https://a.example', 'https://a.example.evil/'],
    ['https://*.example', 'https://example/'],
    ['https://*.a.example', 'https://evila.example/'],
    ['https://a.example/', 'https://a.example/x'],
    ['https://a.example/hooks', 'https://a.example/hooks/1'],
    ['https://a.example/hooks/*', 'https://a.example/hooks'],
    ['https://a.example/hooks/*', 'https://a.example/?/hooks/1'],
    ['https://a.example/hooks/*', 'https://a.example//hooks/1'],
  ]
  for (const [pattern, url] of fits) t.ok(ruleFor([rule(pattern, { redact: [] })], 'redact', url), `${pattern} ${url}`)
  for (const [pattern, url] of others)
    t.notOk(ruleFor([rule(pattern, { redact: [] })], 'redact', url), `${pattern} ${url}`)
})

t.test('what cannot match anything is no pattern', async (t) => {
  const texts = [
    '',
    'a.example',
    'https://',
    'https:///x',
    'ftp://a.example',
    'https://a.*.example',
    'https://me@a.example',
  ]
  const paths = ['a', '/a/../b', '/a?x', '/a#x', '/a*b', '/a/**', '/a b', '/ä', '/a\\b', '/a\n'].map(
    (path) => `https://a.example${path}`,
  )
  for (const text of [...texts, ...paths.slice(1)]) t.equal(parseTargetPattern(text), undefined, JSON.stringify(text))
})

t.test('of each thing the first rule counts that says anything of it', async (t) => {
  const [one, two] = [1, 2].map((byte) => [{ scheme: 'hmac' as const, bytes: Buffer.alloc(24, byte) }])
  const rules = [
    rule('https://a.example/hooks/*', { sign: one as never }),
    rule('https://a.example', { tls: { minVersion: 'TLSv1.3' }, redact: ['/a'] }),
    rule('*://*:*', { sign: two as never, redact: ['/b'] }),
  ]
  t.equal(ruleFor(rules, 'sign', 'https://a.example/hooks/1'), one)
  t.equal(ruleFor(rules, 'sign', 'https://a.example/'), two)
  t.match(ruleFor(rules, 'tls', 'https://a.example'), { minVersion: 'TLSv1.3' })
  t.equal(ruleFor(rules, 'tls', 'https://b.example'), undefined)
  t.strictSame(ruleFor(rules, 'redact', 'https://a.example/hooks/1'), ['/a'])
  t.strictSame(ruleFor(rules, 'redact', 'http://b.example:1/'), ['/b'])
})

t.test('what is remembered of an origin holds for its rules, and for no other URL', async (t) => {
  const [first, second] = ['/a', '/b'].map((pointer) => [
    rule('https://a.example/hooks', { redact: [pointer] }),
    rule('https://*.a.example', { redact: ['/below'] }),
  ]) as [TargetRule[], TargetRule[]]
  for (const _ of [1, 2]) {
    t.strictSame(ruleFor(first, 'redact', 'https://a.example/hooks'), ['/a'])
    t.strictSame(ruleFor(second, 'redact', 'https://a.example/hooks'), ['/b'])
    t.equal(ruleFor(first, 'redact', 'https://a.example/other'), undefined)
    t.equal(ruleFor(first, 'sign', 'https://a.example/hooks'), undefined)
    t.equal(ruleFor(first, 'redact', 'http://a.example/hooks'), undefined)
    t.strictSame(ruleFor(first, 'redact', 'https://b.a.example/hooks'), ['/below'])
  }
})
