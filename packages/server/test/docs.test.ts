import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  CALL_ERRORS,
  DEFAULT_RETRY_POLICY,
  ERRORS,
  formatDuration,
  InstructionSchema,
  LIMITS,
  parseInstruction,
} from '@posthaste/core'
import t from 'tap'
import { environmentName, flagName, loadConfig, SETTING_KEYS, SETTINGS } from '../src/index.js'
import { retryPolicyOf } from '../src/listener-options.js'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8')

const errors = read('docs', 'errors.md')
const configuration = read('docs', 'configuration.md')
const api = read('docs', 'http-api.md')
const retries = read('docs', 'retries.md')
const schedules = read('docs', 'schedules.md')
const security = read('docs', 'security.md')
const functions = read('docs', 'functions.md')
const doors = read('docs', 'front-doors.md')

t.test('the tables are those of the code: npm run docs', async (t) => {
  const { renderDocs } = await import(pathToFileURL(join(root, 'scripts', 'generate-docs.mjs')).href)
  const docs: Record<string, string> = await renderDocs()
  t.strictSame(Object.keys(docs), ['docs/errors.md', 'docs/configuration.md', 'docs/http-api.md', 'docs/retries.md'])
  for (const [path, text] of Object.entries(docs)) t.ok(plain(read(path)) === plain(text), `${path} is up to date`)
})

t.test('every code stands in one table, and every code in a table is one', async (t) => {
  const rows = tableRows(errors)
  t.strictSame(rows.map(([code = '']) => unquote(code)).sort(), Object.keys(ERRORS).sort())
  for (const [code, { status, title }] of Object.entries(ERRORS)) {
    const row = rows.find(([first = '']) => unquote(first) === code) ?? []
    t.equal(row.at(-1), title)
    if (status > 0) t.equal(row[1], String(status))
  }
})

t.test('every setting is documented, and every documented one is there', async (t) => {
  const rows = tableRows(configuration)
  t.strictSame(
    rows.map((cells) => cells.slice(0, 3).map(unquote)),
    SETTING_KEYS.map((key) => [`--${flagName(key)}`, environmentName(key), key]),
  )
  t.strictSame(
    rows.map((cells) => cells[4]),
    SETTING_KEYS.map((key) => (SETTINGS[key].default === '' ? 'none' : `\`${SETTINGS[key].default}\``)),
  )
  for (const name of configuration.match(/POSTHASTE_[A-Z_]+\b/g) ?? [])
    t.ok(name === 'POSTHASTE_CONFIG' || SETTING_KEYS.map(environmentName).includes(name), name)
})

t.test('every example of a configuration is valid', async (t) => {
  const examples = blocks(configuration, 'json')
  t.equal(examples.length, 1)
  for (const example of examples) t.ok(loadConfig({ environment: {}, flags: asFlags(JSON.parse(example)) }))
})

t.test('every field of an instruction is documented, and every documented one is there', async (t) => {
  const { retry, ...fields } = InstructionSchema.properties
  const section = api.slice(api.indexOf('### The instruction'), api.indexOf('### Retries'))
  t.strictSame(
    tableRows(section).map(([name = '']) => unquote(name)),
    [...Object.keys(fields), 'retry'],
  )
  const rows = tableRows(api.slice(api.indexOf('### Retries'), api.indexOf('### When it is refused')))
  const policy: Record<string, string> = {
    maxAttempts: String(DEFAULT_RETRY_POLICY.maxAttempts),
    initialDelay: formatDuration(DEFAULT_RETRY_POLICY.initialDelayMs),
    factor: String(DEFAULT_RETRY_POLICY.factor),
    maxDelay: formatDuration(DEFAULT_RETRY_POLICY.maxDelayMs),
    jitter: DEFAULT_RETRY_POLICY.jitter,
    maxAge: formatDuration(DEFAULT_RETRY_POLICY.maxAgeMs),
    statuses: DEFAULT_RETRY_POLICY.statuses.join(', '),
    errors: DEFAULT_RETRY_POLICY.errors.length === CALL_ERRORS.length ? 'all' : 'some',
  }
  t.strictSame(Object.fromEntries(rows.map(([name = '', fallback = '']) => [unquote(name), unquote(fallback)])), policy)
  t.strictSame(Object.keys(policy), Object.keys((retry as { properties: object }).properties))
  const policySection = retries.slice(retries.indexOf('## The policy'), retries.indexOf('## Waits'))
  t.strictSame(
    tableRows(policySection).map(([name = '']) => unquote(name)),
    Object.keys(policy),
    'docs/retries.md names the same',
  )
})

t.test('every limit has a row', async (t) => {
  const rows = tableRows(api.slice(api.indexOf('### Limits'), api.indexOf('## What the target gets')))
  t.equal(rows.length, Object.keys(LIMITS).length)
})

t.test('the settings of retries have the defaults that the code has', async (t) => {
  t.strictSame(retryPolicyOf(loadConfig({ environment: {} })), DEFAULT_RETRY_POLICY)
})

// What is sent, and what is answered, test/http-api.test.ts finds out.
t.test('every example of an instruction is accepted', async (t) => {
  const shown = blocks(api, 'json').filter((text) => text.includes('"target"'))
  t.equal(shown.length, 4)
  // Times in them are to stay ahead whenever this is run.
  const nowMs = Date.parse('2026-12-01T00:00:00Z')
  for (const text of shown) t.ok(parseInstruction(JSON.parse(text), nowMs), text)
})

t.test('every problem shown is one of ours', async (t) => {
  const answers = blocks(api, '').filter((block) => block.includes('application/problem+json'))
  const problems = [...answers.map((block) => block.split('\n\n')[1] ?? ''), ...blocks(errors, 'json')]
  t.ok(answers.length >= 2)
  for (const problem of problems) {
    const { code, status, title } = JSON.parse(problem)
    t.match(ERRORS[code as keyof typeof ERRORS], { status, title })
  }
})

t.test('every header of ours that the code names is documented, and the other way round', async (t) => {
  const sources = ['core', 'accepter', 'listener'].flatMap((name) => {
    const folder = join('packages', name, 'src')
    const files = readdirSync(join(root, folder), { encoding: 'utf8', recursive: true })
    return files.filter((file) => file.endsWith('.ts')).map((file) => read(folder, file))
  })
  const inCode = sources.flatMap((text) => text.match(/(?<=')posthaste-[a-z][a-z-]*[a-z](?=')/g) ?? [])
  const inDocs = api.match(/\bPosthaste-[A-Z][A-Za-z-]*/g) ?? []
  const names = (all: readonly string[]): string[] => [...new Set(all.map((name) => name.toLowerCase()))].sort()
  t.strictSame(names(inDocs), names(inCode))
})

t.test('every link leads somewhere', async (t) => {
  for (const [name, text] of Object.entries({
    errors,
    configuration,
    api,
    retries,
    schedules,
    security,
    functions,
    doors,
  })) {
    for (const [, path = '', anchor] of text.matchAll(/\]\((?!https:)([^)#]*)(?:#([^)]+))?\)/g)) {
      const document = path === '' ? text : read('docs', path)
      // As GitHub makes them.
      const anchors = [...document.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replace(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
      )
      t.ok(anchor === undefined || anchors.includes(anchor), `${name}: ${path}#${anchor}`)
    }
  }
})

/** A document whose tables are not laid out. */
function plain(text: string): string {
  return text.replace(/^\|.*$/gm, (line) => line.replace(/ +/g, ' ').replace(/-{3,}/g, '---'))
}

/** The cells of all tables of a document, without the heads. */
function tableRows(text: string): string[][] {
  const lines = plain(text).split('\n')
  return lines
    .filter(
      (line, index) => line.startsWith('|') && !line.startsWith('| ---') && !lines[index + 1]?.startsWith('| ---'),
    )
    .map((line) =>
      line
        .slice(2, -2)
        .split(/(?<!\\) \| /)
        .map((cell) => cell.trim()),
    )
}

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)]
    .filter(([, given]) => given === language)
    .map(([, , body = '']) => body)
}

function unquote(cell: string): string {
  return cell.replaceAll('`', '')
}

function asFlags(settings: Record<string, string | number>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, String(value)]))
}
