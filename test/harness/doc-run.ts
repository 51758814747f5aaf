import type { DocExample } from './doc-examples.js'

const API = 'http://127.0.0.1:8080'
const TARGET = 'http://127.0.0.1:8081'
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** Differ from one run to the next: only what kind of value they have is compared. */
const VARIES = new Set(
  (
    'durationMs durationSeconds ageMs behindMs states pendingChanges rates next partitions cycle trigger running endedAt blocked pulled ' +
    'called succeeded failed expired cancelled retrying deferred ticked spilled parked repeated superseded checkedOut lost'
  ).split(' '),
)
/** Of which the document shows a part. */
const SHOWN_IN_PART = new Set(['headers'])
/** There at one time, and not at another. */
const SOMETIMES = new Set(['oldestWaiting', 'nextDueAt', 'listener', 'clock'])

/** Carries the examples of a document out, one after the other, and compares the answers with those that it shows. */
export class DocRun {
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

  /** How a document that came differs from one that is shown. */
  faultsOfJson(shown: unknown, found: unknown): string[] {
    const faults: string[] = []
    this.#compare(shown, found, '', faults)
    return faults
  }

  #here(text: string): string {
    const ids = text.replace(ID, (id) => this.#ids.get(id) ?? id)
    const there = ids.replaceAll(API, this.#api).replaceAll(TARGET, this.#target)
    return there.replaceAll(encodeURIComponent(TARGET), encodeURIComponent(this.#target))
  }

  #isSameHeader(name: string, shown: string, found: string): boolean {
    if (name === 'etag') return /^"[^"]+"$/.test(found)
    const cut = (text: string): string => text.replace(/cursor=[^>]+/, '')
    return cut(this.#here(shown)) === cut(found)
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
