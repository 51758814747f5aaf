import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type DocExample, readExamples } from './harness/doc-examples.js'
import { createEmbedded } from './harness/embedded-installation.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'

const API = 'http://127.0.0.1:8080'
const TARGET = 'http://127.0.0.1:8081'
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** Differ from one run to the next: only what kind of value they have is compared. */
const VARIES = new Set(
  (
    'durationMs ageMs behindMs states pendingChanges rates next partitions cycle trigger running endedAt blocked pulled ' +
    'called succeeded failed expired cancelled retrying deferred spilled repeated superseded checkedOut lost'
  ).split(' '),
)
/** Of which the document shows a part. */
const SHOWN_IN_PART = new Set(['headers'])
/** There at one time, and not at another. */
const SOMETIMES = new Set(['oldestWaiting', 'nextDueAt', 'listener', 'clock'])

t.test('every example of docs/http-api.md is true', async (t) => {
  const document = fileURLToPath(new URL('../../docs/http-api.md', import.meta.url))
  const examples = readExamples(readFileSync(document, 'utf8'))
  const target = await TargetServer.start(({ body, path }, { headers }) => ({
    status: path === '/status/500' ? 500 : 200,
    headers: { 'content-type': headers['content-type'] ?? 'application/octet-stream' },
    body,
  }))
  t.teardown(() => target.stop())
  const { dataDir } = createEmbedded(t)
  const posthaste = await PosthasteProcess.start({ role: 'start', dataDir })
  t.teardown(() => posthaste.stop())

  const run = new Run(posthaste.url, target.url)
  for (const example of examples) t.strictSame(await run.faultsOf(example), [], `${example.method} ${example.url}`)
  const served = await operationsOf(posthaste.url)
  t.strictSame(
    served.filter(({ matches }) => !run.asked.some((asked) => matches.test(asked))).map(({ name }) => name),
    [],
    'each operation has one',
  )
})

/** Carries examples out, one after the other. */
class Run {
  readonly asked: string[] = []
  readonly #api: string
  readonly #target: string
  /** What the ids of the document are here. */
  readonly #ids = new Map<string, string>()

  constructor(api: string, target: string) {
    this.#api = api
    this.#target = target
  }

  /** How the answer differs from what is shown. */
  async faultsOf({ answer, body, headers, method, url }: DocExample): Promise<string[]> {
    const here = this.#here(url)
    this.asked.push(`${method} ${new URL(here).pathname}`)
    const response = await fetch(here, { method, headers, ...(body !== undefined && { body: this.#here(body) }) })
    const text = await response.text()
    if (!answer) return response.ok ? [] : [`status ${response.status}: ${text}`]
    const faults = response.status === answer.status ? [] : [`status ${response.status}`]
    const isJson = /json/.test(answer.headers['content-type'] ?? '')
    if (isJson) this.#compare(JSON.parse(answer.body), JSON.parse(text), '', faults)
    else if (text !== answer.body) faults.push(`body ${text}`)
    for (const [name, shown] of Object.entries(answer.headers)) {
      const found = response.headers.get(name)
      if (found === null || !this.#isSameHeader(name, shown, found)) faults.push(`${name}: ${found}`)
    }
    return faults
  }

  #here(text: string): string {
    const ids = text.replace(ID, (id) => this.#ids.get(id) ?? id)
    return ids.replaceAll(API, this.#api).replaceAll(TARGET, this.#target)
  }

  #isSameHeader(name: string, shown: string, found: string): boolean {
    if (name === 'etag') return /^"[^"]+"$/.test(found)
    const cut = (text: string): string => text.replace(/cursor=[^>]+/, '')
    return cut(this.#here(shown).replace(encodeURIComponent(TARGET), encodeURIComponent(this.#target))) === cut(found)
  }

  #compare(shown: unknown, found: unknown, path: string, faults: string[]): void {
    const name = path.split('.').at(-1) ?? ''
    if (typeof shown !== typeof found || Array.isArray(shown) !== Array.isArray(found)) {
      faults.push(`${path}: ${JSON.stringify(found)}`)
    } else if (VARIES.has(name)) {
      return
    } else if (typeof shown === 'object' && shown !== null && found !== null) {
      this.#compareMembers(shown, found as object, path, faults)
    } else if (typeof shown === 'string' && typeof found === 'string') {
      if (!this.#isSameText(shown, found)) faults.push(`${path}: ${found}`)
    } else if (shown !== found) faults.push(`${path}: ${JSON.stringify(found)}`)
  }

  #compareMembers(shown: object, found: object, path: string, faults: string[]): void {
    const isPart = SHOWN_IN_PART.has(path.split('.').at(-1) ?? '')
    for (const name of new Set([...Object.keys(shown), ...(isPart ? [] : Object.keys(found))])) {
      const [a, b] = [Reflect.get(shown, name), Reflect.get(found, name)]
      if (SOMETIMES.has(name) && (a === undefined || b === undefined)) continue
      this.#compare(a, b, path === '' ? name : `${path}.${name}`, faults)
    }
  }

  #isSameText(shown: string, found: string): boolean {
    if (TIME.test(shown)) return TIME.test(found)
    for (const [index, id] of (shown.match(ID) ?? []).entries()) {
      const here = found.match(ID)?.[index]
      if (here !== undefined && !this.#ids.has(id)) this.#ids.set(id, here)
    }
    return this.#here(shown) === found
  }
}

/** What a process serves, by its own document. */
async function operationsOf(url: string): Promise<{ name: string; matches: RegExp }[]> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> }
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => {
      const name = `${method.toUpperCase()} ${path}`
      return { name, matches: new RegExp(`^${name.replace(/\{\w+\}/g, '[^/]+')}$`) }
    }),
  )
}
