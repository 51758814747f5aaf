import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gunzipSync } from 'node:zlib'
import t from 'tap'

interface Installed {
  readonly name: string
  readonly version: string
  readonly license: string
  readonly isDirect: boolean
  readonly integrity: string | undefined
  readonly dependsOn: readonly string[]
}

interface Manifest {
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
  readonly license?: string
}

const LICENSES = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT', 'Unlicense']

const root = fileURLToPath(new URL('../../', import.meta.url))
const script = (name: string) => import(pathToFileURL(join(root, 'scripts', name)).href)
const { folderOf, installedDependencies, licenseOf, readManifest } = await script('installed.mjs')
const installed: Installed[] = installedDependencies()
const packages = readdirSync(join(root, 'packages')).sort()
const [toRun, brought, toBuild] = readTables(readFileSync(join(root, 'docs', 'dependencies.md'), 'utf8'))

t.test('each dependency is in docs/dependencies.md, with who uses it, its licence and why', async (t) => {
  const direct = packages.flatMap((name) => externalOf(manifestOf('packages', name).dependencies))
  t.strictSame(namesOf(toRun), [...new Set(direct)].sort())
  for (const [name = '', usedBy, license, why = ''] of toRun) {
    const users = packages.filter((each) => name in (manifestOf('packages', each).dependencies ?? {}))
    t.equal(usedBy, users.join(', '), `${name}: used by`)
    t.equal(license, installed.find((one) => one.name === name)?.license, `${name}: licence`)
    t.ok(why.length > 20, `${name}: why`)
  }
})

t.test('so is what these bring, and who brings it', async (t) => {
  const direct = new Set(namesOf(toRun))
  const found = new Map<string, { by: Set<string>; license: string }>()
  for (const one of installed) {
    const name = anyPlatform(one.name)
    const by = installed.filter(({ dependsOn }) => dependsOn.includes(`${one.name}@${one.version}`))
    const known = found.get(name)?.by ?? []
    if (!direct.has(name))
      found.set(name, {
        by: new Set([...known, ...by.map((each) => anyPlatform(each.name))]),
        license: one.license,
      })
  }
  t.strictSame(
    brought.map(([name, by, license]) => [name, by, license]),
    [...found].map(([name, { by, license }]) => [name, [...by].sort().join(', '), license]).sort(),
  )
})

t.test('so is what builds and tests', async (t) => {
  const members = [['.'], ['test'], ['bench'], ...packages.map((name) => ['packages', name])]
  const runs = new Set(namesOf(toRun))
  const own = members.flatMap((path) => externalOf(manifestOf(...path).devDependencies))
  t.strictSame(namesOf(toBuild), [...new Set(own)].filter((name) => !runs.has(name)).sort())
  for (const [name = '', license, why = ''] of toBuild) {
    const folder = members.map((path) => folderOf(name, join(root, ...path))).find(Boolean)
    t.equal(license, licenseOf(readManifest(folder).license), `${name}: licence`)
    t.ok(why.length > 10, `${name}: why`)
  }
})

t.test('every licence is a free one', async (t) => {
  t.ok(installed.length > 40, `${installed.length} packages`)
  const others = installed.filter(({ license }) => !isFree(license))
  t.strictSame(others, [])
  for (const license of [undefined, 'GPL-3.0-only', 'MIT AND GPL-3.0-only', 'SEE LICENSE IN file', 'BUSL-1.1'])
    t.notOk(isFree(license), `${license}`)
  t.ok(isFree('(MIT OR Apache-2.0)'))
})

t.test('what is installed is what was locked, and runs nothing by that', async (t) => {
  const workspace = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8')
  const catalog = [...workspace.matchAll(/^ {2}"?([@\w./-]+)"?: ([\w.-]+)$/gm)]
  t.ok(catalog.length > 15)
  for (const [, name, version = ''] of catalog) t.match(version, /^\d+\.\d+\.\d+(-[\w.]+)?$/, `${name} ${version}`)
  const members = [['.'], ['test'], ['bench'], ...packages.map((name) => ['packages', name])]
  for (const path of members) {
    const { dependencies, devDependencies } = manifestOf(...path)
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
      t.ok(version === (name.startsWith('@posthaste/') ? 'workspace:*' : 'catalog:'), `${path.join('/')}: ${name}`)
  }
  for (const { integrity, name } of installed) t.match(integrity, /^sha512-/, `${name} has a hash`)
  t.match(workspace, /^ignoreScripts: true$/m)
  t.match(readFileSync(join(root, '.npmrc'), 'utf8'), /^ignore-scripts=true$/m)
  for (const name of [join('scripts', 'prepare.mjs'), 'Dockerfile']) {
    const text = readFileSync(join(root, name), 'utf8')
    t.match(text, /pnpm\.mjs.*--frozen-lockfile\W+--ignore-scripts/, name)
    t.notMatch(text, 'npx', `${name}: of pnpm too the hash is looked at`)
  }
})

t.test('the bill of materials names all of it', async (t) => {
  const { createSbom } = await script('sbom.mjs')
  const { components, dependencies, ...bom } = createSbom(new Date(0))
  const { bomFormat, metadata, serialNumber, specVersion, version, ...others } = bom
  t.strictSame([bomFormat, specVersion, version, others], ['CycloneDX', '1.6', 1, {}])
  t.match(metadata, { timestamp: '1970-01-01T00:00:00.000Z', component: { type: 'application', name: 'posthaste' } })
  t.match(serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
  t.equal(serialNumber, createSbom().serialNumber, 'the same content has the same number')
  t.strictSame(
    components.map(({ group, name, version }: Record<string, string>) => [group ? `${group}/${name}` : name, version]),
    installed.map(({ name, version }) => [name, version]),
  )
  const refs = new Set(components.map((component: { 'bom-ref': string }) => component['bom-ref']))
  t.equal(refs.size, components.length)
  for (const { hashes, licenses, purl, type } of components) {
    t.equal(type, 'library', purl)
    t.match(purl, /^pkg:npm\/(%40[\w.-]+\/)?[\w.-]+@\d[\w.-]*$/)
    t.match(hashes, [{ alg: 'SHA-512', content: /^[0-9a-f]{128}$/ }], purl)
    t.match(licenses, [{}], purl)
    const { expression, license } = licenses[0]
    t.ok(expression ? isFree(expression) : LICENSES.includes(license.id), purl)
  }
  t.equal(dependencies.length, components.length + 1)
  for (const { dependsOn } of dependencies) for (const ref of dependsOn) t.ok(refs.has(ref), ref)
})

t.test('an audit says what is known, or that there was no answer', async (t) => {
  const { answerOf } = await script('audit.mjs')
  const vulnerabilities = {
    a: { name: 'a', severity: 'critical', range: '<2.0.0' },
    b: { name: 'b', severity: 'moderate', range: '*' },
  }
  t.strictSame(answerOf(JSON.stringify({ vulnerabilities })), { known: ['a <2.0.0: critical'] })
  t.strictSame(answerOf('{"vulnerabilities":{}}'), { known: [] })
  t.strictSame(answerOf('{"statusCode":405}'), { unanswered: 'the registry answers 405' })
  t.strictSame(answerOf('{"message":"getaddrinfo ENOTFOUND"}'), { unanswered: 'getaddrinfo ENOTFOUND' })
  for (const text of ['', 'npm error', '[]', undefined]) t.ok(answerOf(text).unanswered, `${text}`)
})

t.test('it asks the registry of all that is installed, and what is serious is a failure', async (t) => {
  let asked: Record<string, string[]> = {}
  const advisory = { id: 1, url: 'https://example.com', title: 'bad', severity: 'high', vulnerable_versions: '*' }
  const registry = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (!request.url?.endsWith('/advisories/bulk')) return response.writeHead(404).end('{}')
      asked = JSON.parse(gunzipSync(Buffer.concat(chunks)).toString())
      const known = { fastify: [advisory], undici: [{ ...advisory, severity: 'low' }] }
      return response.setHeader('content-type', 'application/json').end(JSON.stringify(known))
    })
  })
  await once(registry.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => registry.close())
  const { port } = registry.address() as AddressInfo
  const env = { ...process.env, npm_config_registry: `http://127.0.0.1:${port}/` }
  const audit = spawn(process.execPath, [join(root, 'scripts', 'audit.mjs')], { env })
  let printed = ''
  audit.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  const [code] = await once(audit, 'close')
  t.equal(code, 1)
  t.match(printed, /^fastify .*: high\n$/)
  const names = [...new Set(installed.map(({ name }) => name))].sort()
  t.strictSame(Object.keys(asked).sort(), names)
  for (const { name, version } of installed) t.ok(asked[name]?.includes(version), `${name}@${version}`)
})

function isFree(license: string | undefined): boolean {
  // Of a choice one is enough.
  return (license ?? '')
    .replace(/^\((.*)\)$/, '$1')
    .split(' OR ')
    .some((each) => LICENSES.includes(each))
}

/** The rows of each table, without backquotes and heads. */
function readTables(text: string): [string[][], string[][], string[][]] {
  const tables = text.split(/\n\n/).filter((block) => block.startsWith('|'))
  if (tables.length !== 3) throw new Error(`There are ${tables.length} tables.`)
  return tables.map((table) =>
    table
      .trim()
      .split('\n')
      .slice(2)
      .map((line) =>
        line
          .slice(2, -2)
          .split(' | ')
          .map((cell) => cell.replaceAll('`', '').trim()),
      ),
  ) as [string[][], string[][], string[][]]
}

function namesOf(rows: readonly string[][]): string[] {
  return rows.map(([name = '']) => name)
}

function externalOf(dependencies: Record<string, string> = {}): string[] {
  return Object.keys(dependencies).filter((name) => !name.startsWith('@posthaste/'))
}

/** What comes built is installed for one platform. */
function anyPlatform(name: string): string {
  return name.replace(/-(linux|darwin|win32)-(x64|arm64|arm)$/, '-*')
}

function manifestOf(...path: string[]): Manifest {
  return readManifest(join(root, ...path))
}
