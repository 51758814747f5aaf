import { readdirSync, readFileSync } from 'node:fs'
import { basename, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

// What each package may import besides node:* and its own files. Layers point one way; each library has its place.
const allowed: Record<string, { workspace: string[]; libraries: string[] }> = {
  core: { workspace: [], libraries: ['croner', 'ipaddr.js', 'typebox'] },
  stream: { workspace: ['core'], libraries: [] },
  storage: { workspace: ['core'], libraries: ['lmdb'] },
  'stream-embedded': { workspace: ['core', 'storage', 'stream'], libraries: ['lmdb'] },
  'stream-kafka': { workspace: ['core', 'storage', 'stream'], libraries: ['kafkajs'] },
  'stream-nats': { workspace: ['core', 'storage', 'stream'], libraries: ['nats'] },
  accepter: { workspace: ['core', 'stream'], libraries: ['fastify', 'jose', 'undici'] },
  listener: { workspace: ['core', 'stream'], libraries: ['node-cron', 'undici'] },
  server: {
    workspace: ['accepter', 'core', 'listener', 'storage', 'stream', 'stream-embedded', 'stream-kafka', 'stream-nats'],
    libraries: ['pino', 'prom-client', 'yaml'],
  },
  cli: { workspace: ['core', 'server'], libraries: ['commander'] },
}

interface Source {
  package: string
  path: string // within the package, such as src/index.ts
  text: string
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const packages = readdirSync(join(root, 'packages')).sort()
const sources = packages.flatMap(readSources)

t.test('the sources were found', async (t) => {
  t.ok(packages.length >= 8, `${packages.length} packages`)
  for (const name of packages) {
    t.ok(allowed[name], `${name} has its rules above`)
    t.ok(
      sources.some(({ package: owner, path }) => owner === name && /^src\/(index|main)\.ts$/.test(path)),
      `${name} has an index, or a program`,
    )
  }
  const imports = new Set(sources.flatMap((source) => importsOf(source.text)))
  t.ok(imports.has('@posthaste/core'), 'imports of a package are seen')
  t.ok(imports.has('lmdb'), 'imports of a library are seen')
})

t.test('no source breaks a rule', async (t) => {
  t.strictSame(sources.flatMap(breaches), [])
})

t.test('what package.json and tsconfig.json name is what is imported', async (t) => {
  for (const name of packages) {
    const { dependencies = {}, devDependencies = {} } = readJson('packages', name, 'package.json')
    const own = sources.filter((source) => source.package === name)
    const used = own.flatMap((source) => importsOf(source.text)).filter((specifier) => !isLocal(specifier))
    t.strictSame(Object.keys(dependencies).sort(), [...new Set(used.map(packageOf))].sort(), `${name}: dependencies`)

    const neighbours = Object.keys({ ...dependencies, ...devDependencies }).filter((d) => d.startsWith('@posthaste/'))
    t.strictSame(references('packages', name), neighbours.map((d) => d.slice(11)).sort(), `${name}: references`)
  }
  t.strictSame(references('.'), [...packages, 'bench', 'test'].sort(), 'the solution: references')
})

t.test('what few need is loaded where it is needed', async (t) => {
  // A command that asks and ends must not wait for schemas, nor for a server.
  t.strictSame(loadedBy('cli', 'src/main.ts'), ['@posthaste/core/basics', 'commander'])
  t.strictSame(loadedBy('core', 'src/basics.ts'), [])
  const ofAccepters = loadedBy('accepter', 'src/index.ts')
  t.ok(ofAccepters.includes('fastify'))
  t.notOk(ofAccepters.includes('jose'))
})

t.test('names say what a file is about', async (t) => {
  const files = ['bench', 'packages', 'scripts', 'test'].flatMap((folder) => filesIn(join(root, folder)))
  t.ok(files.length > sources.length)
  t.strictSame(files.filter(isNamedVaguely), [])
})

t.test('the rules bite', async (t) => {
  const forbidden: [string, string, string][] = [
    ['core', 'src/a.ts', "import { Stream } from '@posthaste/stream'"],
    ['stream', 'src/a.ts', "import type { Server } from '@posthaste/server'"],
    ['stream', 'src/a.ts', "import {\n  A,\n  type B,\n} from 'lmdb'"],
    ['storage', 'src/a.ts', "export * from '@posthaste/stream'"],
    ['storage', 'src/a.ts', "import core from '../../core/src/index.js'"],
    ['accepter', 'src/a.ts', "import 'node-cron'"],
    ['accepter', 'src/a.ts', "const a = await import('@posthaste/listener')"],
    ['accepter', 'src/a.ts', "const a = require('lmdb')"],
    ['listener', 'src/a.ts', "export { fastify as web } from 'fastify'"],
    ['listener', 'src/a.ts', "import t from 'tap'"],
    ['stream', 'src/contract/a.ts', "import fc from 'fast-check'"],
    ['stream-embedded', 'src/a.ts', "import { streamContract } from '@posthaste/stream/contract'"],
    ['server', 'src/roles.ts', 'const port = process.env.PORT'],
    ['server', 'src/roles.ts', "import { env } from 'node:process'"],
    ['cli', 'src/config.ts', "const port = process['env'].PORT"],
  ]
  for (const [name, path, text] of forbidden) t.equal(breaches({ package: name, path, text }).length, 1, text)

  const fine: [string, string, string][] = [
    ['core', 'src/a.ts', "import { Type } from 'typebox'\nimport { readFile } from 'node:fs/promises'"],
    ['core', 'src/b/a.ts', "import { b } from '../b.js'"],
    ['stream', 'src/contract/a.ts', "import { ulid } from '@posthaste/core'"],
    ['server', 'src/config-sources.ts', 'const given = process.env'],
    ['cli', 'src/a.ts', "// import t from 'tap'\n/** Unlike process.env,\n * import('undici') */"],
  ]
  for (const [name, path, text] of fine) t.strictSame(breaches({ package: name, path, text }), [], text)

  t.ok(isNamedVaguely(join('packages', 'core', 'src', 'utils.ts')))
  t.ok(isNamedVaguely(join('packages', 'core', 'test', 'helpers', 'server.ts')))
  t.notOk(isNamedVaguely(join('packages', 'core', 'src', 'common-header.ts')))
})

function breaches(source: Source): string[] {
  const where = `packages/${source.package}/${source.path}`
  const found = importsOf(source.text)
    .filter((specifier) => !mayImport(source, specifier))
    .map((specifier) => `${where} must not import ${specifier}`)
  const mayReadEnvironment = source.package === 'server' && source.path.startsWith('src/config')
  if (readsEnvironment(source.text) && !mayReadEnvironment) found.push(`${where} must not read the environment`)
  return found
}

function mayImport(source: Source, specifier: string): boolean {
  if (specifier.startsWith('node:')) return true
  if (specifier.startsWith('.')) return normalize(join(source.path, '..', specifier)).startsWith(`src${sep}`)
  const { workspace = [], libraries = [] } = allowed[source.package] ?? {}
  if (!specifier.startsWith('@posthaste/')) return libraries.includes(packageOf(specifier))
  // A contract suite is a test: only another suite builds on it.
  const [, name = '', ...subpath] = specifier.split('/')
  const isSuite = subpath[0] === 'contract'
  return workspace.includes(name) && (!isSuite || source.path.startsWith('src/contract/'))
}

function importsOf(text: string): string[] {
  const calls = /\b(?:import|require)\(\s*['"]([^'"]+)['"]/g
  return [...statementsIn(text), ...specifiersIn(text, calls)]
}

function statementsIn(text: string): string[] {
  return specifiersIn(text, /^[ \t]*(?:import|export)\b(?:[\w$*{},\s]*?\bfrom)?\s*['"]([^'"]+)['"]/gm)
}

function specifiersIn(text: string, pattern: RegExp): string[] {
  return [...withoutComments(text).matchAll(pattern)].map((match) => match[1] ?? '')
}

/** The packages that a file loads when it is loaded, by itself or by other files of its own package. */
function loadedBy(name: string, path: string): string[] {
  const files = new Set([path])
  const others = new Set<string>()
  for (const file of files) {
    const source = sources.find((one) => one.package === name && one.path === file)
    if (!source) throw new Error(`packages/${name}/${file} is not there.`)
    for (const specifier of statementsIn(withoutTypes(source.text))) {
      if (specifier.startsWith('.')) files.add(normalize(join(file, '..', specifier)).replace(/\.js$/, '.ts'))
      else if (!specifier.startsWith('node:')) others.add(specifier)
    }
  }
  return [...others].sort()
}

function withoutTypes(text: string): string {
  return text.replace(/^(import|export) type\b[^']*'[^']*'/gm, '')
}

function readsEnvironment(text: string): boolean {
  return /\bprocess\s*(\?\.|\.|\[['"])\s*env\b|\{[^}]*\benv\b[^}]*\}\s*(=\s*process\b|from\s*['"](node:)?process['"])/.test(
    withoutComments(text),
  )
}

// Whole lines only: a comment behind code is rare, and '//' or '/*' within a string is not.
function withoutComments(text: string): string {
  return text.replace(/^\s*(\/\/|\/\*|\*).*$/gm, '')
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

function isLocal(specifier: string): boolean {
  return specifier.startsWith('.') || specifier.startsWith('node:')
}

function isNamedVaguely(path: string): boolean {
  return path.split(sep).some((part) => /^(utils?|helpers?|common|misc)(\.|$)/i.test(part))
}

function readSources(name: string): Source[] {
  const folder = join(root, 'packages', name)
  return filesIn(join(folder, 'src')).map((path) => ({
    package: name,
    path: ['src', ...path.split(sep)].join('/'),
    text: readFileSync(join(folder, 'src', path), 'utf8'),
  }))
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== 'dist' && name !== 'node_modules')
    .flatMap((entry) => {
      if (entry.isDirectory()) return filesIn(join(folder, entry.name)).map((path) => join(entry.name, path))
      return /\.[cm]?[jt]sx?$/.test(entry.name) ? [entry.name] : []
    })
}

function references(...folder: string[]): string[] {
  const config = readJson(...folder, 'tsconfig.json') as { references?: { path: string }[] }
  return (config.references ?? []).map(({ path }) => basename(path)).sort()
}

function readJson(...path: string[]): Record<string, Record<string, string>> {
  return JSON.parse(readFileSync(join(root, ...path), 'utf8'))
}
