import { isUtf8 } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Document, ErrorCode, LineCounter, Pair, Scalar } from 'yaml'

const require = createRequire(import.meta.url)
// Only where there is such a file: it takes longer to load than most of what a start needs.
const yaml = (): typeof import('yaml') => require('yaml')

/** While it is read nothing else is done: of so much that takes about a second. */
const FILE_BYTES_MAX = 1024 ** 2
/** Aliases make much of little. */
const VALUES_MAX = 500_000
/** One makes others behind it. */
const SYNTAX_FAULTS_MAX = 10
/** Nothing but what JSON has, of whatever version of YAML the file says it is. */
const LIKE_JSON = { schema: 'core', merge: true, resolveKnownTags: false, stringKeys: true } as const
/** The parser compares each key with each other. */
const OWN_CHECKS = { uniqueKeys: false, prettyErrors: false } as const

export interface YamlFile {
  readonly value: unknown
  /** The line of that to which a path of keys leads, or of the nearest to it that is there. */
  lineOf(path: readonly string[]): number | undefined
}

/** Reads a file of YAML, or of JSON, which is YAML too; or says what is wrong with it, without a word of what stands in it. */
export function readYamlFile(path: string): YamlFile | { readonly faults: readonly string[] } {
  let bytes: Buffer
  try {
    if (statSync(path).size > FILE_BYTES_MAX) return { faults: ['It has more than 1 MiB.'] }
    bytes = readFileSync(path)
  } catch (error) {
    return { faults: [`It cannot be read: ${(error as NodeJS.ErrnoException).code}.`] }
  }
  return isUtf8(bytes) ? parse(bytes.toString()) : { faults: ['It is not UTF-8.'] }
}

function parse(text: string): ReturnType<typeof readYamlFile> {
  const { LineCounter, parseDocument } = yaml()
  const lines = new LineCounter()
  try {
    const document = parseDocument(text, { ...LIKE_JSON, ...OWN_CHECKS, lineCounter: lines })
    const found = [...document.errors, ...document.warnings, ...repeatedKeys(document)]
    const faults = new Set(found.map((error) => syntaxFault(error, lines)))
    if (faults.size > 0) return { faults: [...faults].slice(0, SYNTAX_FAULTS_MAX) }
    if (valuesIn(document) <= VALUES_MAX)
      return { value: document.toJS({ maxAliasCount: -1 }), lineOf: (path) => lineOf(path, document, lines) }
  } catch {
    // What the parser throws may show the text: of aliases, and of what is nested beyond its stack.
  }
  return { faults: ['all of it: Its aliases stand for nothing or go round, or it says, or nests, too much.'] }
}

function repeatedKeys(document: Document): Fault[] {
  const found: Fault[] = []
  yaml().visit(document, {
    Map(_, { items }) {
      const keys = new Set<unknown>()
      for (const { key } of items as Pair<Scalar | null>[]) {
        if (keys.has(key?.value)) found.push({ code: 'DUPLICATE_KEY', pos: key?.range ?? [0] })
        keys.add(key?.value)
      }
    },
  })
  return found
}

/** How many values there are with those that aliases stand for: no end of them if an alias is within what it stands for. */
function valuesIn({ contents }: Document): number {
  const { isAlias, isCollection, isPair, isScalar } = yaml()
  const ofAnchors = new Map<string, number>()
  const count = (node: unknown): number => {
    if (isAlias(node)) return ofAnchors.get(node.source) ?? 0
    const anchor = isCollection(node) || isScalar(node) ? node.anchor : undefined
    if (anchor !== undefined) ofAnchors.set(anchor, Infinity)
    const parts = isCollection(node) ? node.items : isPair(node) ? [node.key, node.value] : []
    const values = parts.reduce<number>((sum, part) => sum + count(part), 1)
    if (anchor !== undefined) ofAnchors.set(anchor, values)
    return values
  }
  return count(contents)
}

function lineOf(path: readonly string[], document: Document, lines: LineCounter): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true) as { range?: [number] } | undefined
    if (node?.range) return lines.linePos(node.range[0]).line
  }
  return undefined
}

/** As the parser tells it. Its words show the text. */
interface Fault {
  readonly code: ErrorCode
  /** Where it begins, and further. */
  readonly pos: readonly [number, ...number[]]
}

function syntaxFault({ code, pos: [at] }: Fault, lines: LineCounter): string {
  return `line ${lines.linePos(at).line}: ${SYNTAX_FAULTS[code] ?? `This is not YAML: ${code}.`}`
}

const SYNTAX_FAULTS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'This key is here twice.',
  MULTIPLE_DOCS: 'Another document begins here: one is wanted.',
  RESOURCE_EXHAUSTION: 'This is nested too deeply.',
  TAB_AS_INDENT: 'This is indented by a tab: only blanks will do.',
  TAG_RESOLVE_FAILED: 'This tag means nothing here.',
}
