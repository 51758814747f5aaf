import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FunctionSchema, PosthasteError } from '@posthaste/core'
import t, { type Test } from 'tap'
import { loadConfig, maskConfig, readFunctionFile } from '../src/index.js'

const SECRET = 'hunter2hunter2'

/** Writes a file and reads it, or says what is wrong with it, one fault a line. */
function read(t: Test, text: string | Buffer, environment: Record<string, string> = {}) {
  const path = write(t, text)
  try {
    return { functions: readFunctionFile(path, environment).functions, faults: [] }
  } catch (error) {
    if (!(error instanceof PosthasteError)) throw error
    t.equal(error.code, 'invalid-configuration')
    const [first, ...faults] = error.message.split('\n')
    t.equal(first, `In ${path} something is wrong:`)
    t.strictSame(
      error.fields.map(({ detail }) => detail),
      faults,
    )
    return { functions: [], faults }
  }
}

function write(t: Test, text: string | Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'secret'), `${SECRET}\n`)
  writeFileSync(join(folder, 'functions.yaml'), text)
  return join(folder, 'functions.yaml')
}

t.test('YAML and JSON say the same', async (t) => {
  const yaml = `
# Those of the shop.
functions:
  resize: # pictures
    url: http://10.0.0.5:8080/resize
    timeout: 90s
    headers: { X-Key: { env: KEY }, X-File: { file: secret } }
    routes: [/square]
  'shop.orders': { url: 'https://example.com/?code=ä' }
`
  const json = {
    functions: {
      resize: {
        url: 'http://10.0.0.5:8080/resize',
        timeout: '90s',
        headers: { 'X-Key': { env: 'KEY' }, 'X-File': { file: 'secret' } },
        routes: ['/square'],
      },
      'shop.orders': { url: 'https://example.com/?code=ä' },
    },
  }
  const found = read(t, yaml, { KEY: SECRET }).functions
  t.match(found, [
    { name: 'resize', timeoutMs: 90_000, headers: { 'x-key': SECRET, 'x-file': SECRET }, routes: ['/square'] },
    { name: 'shop.orders', url: 'https://example.com/?code=%C3%A4' },
  ])
  for (const text of [JSON.stringify(json), `\ufeff${JSON.stringify(json, undefined, '\t')}`])
    t.strictSame(read(t, text, { KEY: SECRET }).functions, found)
  const escaped = read(t, '{"functions":{"a":{"url":"http:\\/\\/x\\/\\ud83d\\ude00"}}}')
  t.match(escaped.functions, [{ url: 'http://x/%F0%9F%98%80' }])
})

t.test('what functions have in common is written once', async (t) => {
  const { functions } = read(
    t,
    `
functions:
  a: &common { url: http://x/a, retry: { maxAttempts: 3 }, headers: &headers { x-a: 'yes' } }
  b: { <<: *common, url: http://x/b }
  c: { url: http://x/c, headers: *headers }
`,
  )
  const headers = { 'x-a': 'yes' }
  t.match(functions, [
    { url: 'http://x/a' },
    { url: 'http://x/b', retry: { maxAttempts: 3 }, headers },
    { url: 'http://x/c', headers },
  ])
  const many = Array.from({ length: 2_000 }, (_, index) => `  b${index}: *common`)
  const shared = read(t, ['functions:', '  a: &common { url: http://x/a }', ...many].join('\n'))
  t.equal(shared.functions.length, 2_001)
})

t.test('a file means the same whatever version of YAML it says it is of', async (t) => {
  const { functions } = read(
    t,
    `%YAML 1.1
---
functions: { 1: { url: http://x, headers: { x-a: yes, x-b: 2020-01-01 }, acceptBody: [on, 1_0] } }
`,
  )
  t.match(functions, [{ name: '1', headers: { 'x-a': 'yes', 'x-b': '2020-01-01' }, acceptBody: ['on', '1_0'] }])
})

t.test('all that is wrong is said, with its line, and no secret', async (t) => {
  const { faults } = read(
    t,
    `functions:
  one:
    url: http://user:${SECRET}@example.com/
    timeout: soon
    headers:
      X-Key: { env: constructor }
      X-File: { file: not-there }
      X-Own: "${SECRET}\\n"
      Connection: ${SECRET}
    onFailure: function://nowhere
    routes: [/invocations/mine, /a/]
    doors: [door]
  two: { url: http://example.com/, headers: {X-Key:${SECRET}, X-Other: 1}, limts: {} }
  "th ree": { url: http://example.com/ }
  four: http://example.com/
`,
  )
  const expected = [
    /^line 3, \/functions\/one\/url: /,
    /^line 4, \/functions\/one\/timeout: /,
    /^line 6, \/functions\/one\/headers\/X-Key: constructor is empty\.$/,
    /^line 7, \/functions\/one\/headers\/X-File: not-there cannot be read: ENOENT\.$/,
    /^line (5|9), \/functions\/one\/headers\/connection: /i,
    /^line 10, \/functions\/one\/onFailure: There is no function "nowhere"\.$/,
    /^line 11, \/functions\/one\/routes\/0: What is beneath \/invocations is not for functions\.$/,
    /^line 11, \/functions\/one\/routes\/1: /,
    /^line 12, \/functions\/one\/doors\/0: There is no front door "door"/,
    /^line 13, \/functions\/two\/headers\/…: This must be a text, or \{ env: NAME \}/,
    /^line 13, \/functions\/two\/headers\/X-Other: This must be a text, or \{ env: NAME \}/,
    /^line 13, \/functions\/two\/limts: There is no such field\.$/,
    /^line 14, \/functions\/…: A name has letters/,
    /^line 15, \/functions\/four: This must be object\.$/,
  ]
  for (const form of expected)
    t.ok(
      faults.some((fault) => form.test(fault)),
      String(form),
    )
  t.equal(faults.length, expected.length, faults.join('\n'))
  t.notMatch(faults.join(), SECRET)
})

t.test('what is no file of functions is refused, and none of it shown', async (t) => {
  const aliases = ['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefg'].map((name, index, all) =>
    index === 0 ? name : `${name}: &${name} [${Array(9).fill(`*${(all[index - 1] as string)[0]}`)}]`,
  )
  const keys = Array.from({ length: 1_000 }, (_, index) => `k${index}: 1`)
  const wide = `a: &a { ${keys.join()} }\nfunctions:\n${'  - { <<: *a }\n'.repeat(1_000)}`
  const unfitAliases = 'all of it: Its aliases stand for nothing or go round, or it says, or nests, too much.'
  const refused: [text: string | Buffer, ...faults: (string | RegExp)[]][] = [
    ['', 'all of it: This must be object.'],
    ['[]', 'all of it: This must be object.'],
    ['{}', '/functions: This field is needed.'],
    ['functions: {}\nmore: 1', 'line 2, /more: There is no such field.'],
    ['functions:\n  a: { url: http://x }\n  a: { url: http://y }', 'line 3: This key is here twice.'],
    ['{"functions":{"a":{"url":"http://x",\n"url":"http://y"}}}', 'line 2: This key is here twice.'],
    [`functions:\n  a: "${SECRET}`, /^line 2: This is not YAML: MISSING_CHAR\.$/],
    [`functions:\n  a: ${SECRET}: ${SECRET}`, /^line 2: This is not YAML: /],
    [`functions: {}\n---\na: ${SECRET}`, 'line 2: Another document begins here: one is wanted.'],
    [`functions: !!js/function ${SECRET}`, 'line 1: This tag means nothing here.'],
    [`functions: *${SECRET}`, unfitAliases],
    [`functions: { <<: ${SECRET} }`, unfitAliases],
    [`${aliases.join('\n')}\nfunctions: *g`, unfitAliases],
    [wide, unfitAliases],
    ['functions: { a: { url: http://x, acceptBody: &a [*a] } }', unfitAliases],
    ['functions:\n  1: { url: http://x }\n  "1": { url: http://y }', 'line 3: This key is here twice.'],
    [`functions:\n  ? { ${SECRET}: 1 }\n  : {}`, 'line 2: This is not YAML: NON_STRING_KEY.'],
    ['functions: !!omap [a: { url: http://x }]', 'line 1: This tag means nothing here.'],
    ['functions:\n\ta: { url: http://x }', 'line 2: This is indented by a tab: only blanks will do.'],
    [Buffer.from('functions: { a: { url: http://x/\u00e4 } }', 'latin1'), 'It is not UTF-8.'],
    [`functions: {}\n${' '.repeat(1024 ** 2)}`, 'It has more than 1 MiB.'],
    [`functions: ${'['.repeat(50_000)}`, 'line 1: This is nested too deeply.', /^line 1: /],
  ]
  for (const [text, ...expected] of refused) {
    const { faults } = read(t, text)
    t.match(faults, expected, text.toString().slice(0, 60))
    t.equal(faults.length, expected.length, faults.join('\n'))
    t.notMatch(faults.join(), SECRET)
  }
})

t.test('as a setting it is read at the start, and masked', async (t) => {
  const path = write(t, `functions: { a: { url: http://x/, headers: { X-Key: ${SECRET} } } }`)
  const config = loadConfig({ environment: { POSTHASTE_FUNCTIONS: path } })
  t.match(config.functions, { path, functions: [{ name: 'a', headers: { 'x-key': SECRET } }] })
  t.notMatch(JSON.stringify(maskConfig(config)), SECRET)
  writeFileSync(path, 'functions: { a: {} }')
  t.throws(() => loadConfig({ environment: { POSTHASTE_FUNCTIONS: path } }), {
    message: `POSTHASTE_FUNCTIONS: the value is not valid: it is ${path}, in which something is wrong: line 1, /functions/a/url: This field is needed.`,
  })
})

/** A document, and the file of functions that it shows. */
function readDocument(name: string) {
  const document = readFileSync(fileURLToPath(new URL(`../../../../docs/${name}`, import.meta.url)), 'utf8')
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(document) ?? []
  return { document, example }
}

t.test('docs/front-doors.md shows a file with all functions that it has called', async (t) => {
  const { document, example } = readDocument('front-doors.md')
  const { faults, functions } = read(t, example)
  t.strictSame(faults, [])
  const called = document.matchAll(/(?:\/(?:async-)?functions?\/|Callback-Url: )([a-z]+)(?=[/' ])/g)
  const names = new Set([...called].map(([, name]) => name))
  t.strictSame([...names].sort(), functions.map(({ name }) => name).sort())
})

t.test('docs/functions.md shows a file with every field, and says what each is', async (t) => {
  const { document, example } = readDocument('functions.md')
  const path = write(t, example)
  mkdirSync(join(dirname(path), 'secrets'))
  writeFileSync(join(dirname(path), 'secrets', 'billing'), SECRET)
  const { functions } = readFunctionFile(path, { BILLING_AUTHORIZATION: 'Basic YTpi' })
  t.match(functions, [
    { name: 'resize', url: 'http://10.0.0.5:8080/resize' },
    { name: 'invoice', timeoutMs: 120_000, headers: { 'x-signing-key': SECRET }, doors: ['openfaas', 'gateway'] },
  ])
  const documented = [...document.matchAll(/^\| `(\w+)`/gm)].map(([, field]) => field)
  const shown = [...example.matchAll(/^ {4}(\w+):/gm)].map(([, field]) => field)
  t.strictSame([...documented].sort(), [...new Set(shown)].sort())
  const inSchema = Object.keys(FunctionSchema.properties)
  t.strictSame([...documented].sort(), inSchema.sort())
})
