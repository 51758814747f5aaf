import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { measure, warmUp } from './measure.js'
import { printTable, RESULTS, writeResult } from './report.js'
import type { Site } from './site.js'
import { startPosthaste } from './system.js'
import { Target } from './target.js'

const COUNT = 100_000
const WARM = 20_000
const FOLDER = join(RESULTS, 'profile')
/** Parts that take less time than this are summed up. */
const SMALL_US = 0.3

const CALLING = 'undici: HTTP out, system calls included'
const ACCEPTING = 'fastify: HTTP in, system calls included'

interface CallFrame {
  readonly functionName: string
  readonly url: string
}

/** As the V8 inspector writes it: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: CallFrame
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Writes a CPU profile of each thread, to be opened in a browser's developer tools, and sums up where the time goes. */
export async function profile(site: Site): Promise<void> {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  const target = await Target.start()
  const posthaste = await startPosthaste(site, { nodeArguments: ['--cpu-prof', `--cpu-prof-dir=${FOLDER}`] })
  const load = { connections: 64, bodyBytes: 1_024 }
  await warmUp(posthaste, target, { ...load, count: WARM * 5 })
  const measured = await measure(posthaste, target, { ...load, count: COUNT })
  await posthaste.stop()
  target.stop()
  const threads = readdirSync(FOLDER).map((name) => {
    const parts = partsOf(JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as CpuProfile)
    const [calling = 0, accepting = 0] = [parts.get(CALLING), parts.get(ACCEPTING)]
    const thread = calling > accepting ? 'listener' : 'accepter'
    printTable(`${thread}: microseconds per invocation by part (${name})`, rowsOf(parts))
    return { thread, parts: Object.fromEntries(parts) }
  })
  console.log('\nTime by the clock, of which a thread that waits for a processor takes more than it uses.')
  writeResult('profile', { measured, threads })
}

function rowsOf(parts: ReadonlyMap<string, number>) {
  const rows = [...parts].map(([part, us]) => ({ part, us })).sort((a, b) => b.us - a.us)
  const small = rows.filter(({ us }) => us < SMALL_US)
  const rest = { part: 'all else', us: small.reduce((sum, { us }) => sum + us, 0) }
  return [...rows.filter(({ us }) => us >= SMALL_US), rest]
}

/** Microseconds per invocation, start-up included, by what the innermost frame that says so belongs to. */
function partsOf({ nodes, samples, timeDeltas }: CpuProfile): Map<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ children = [], id }) => children.map((child) => [child, id] as const)))
  const known = new Map<number, string>()
  const partOf = (id: number): string => {
    const found = known.get(id)
    if (found !== undefined) return found
    const parent = parents.get(id)
    const frame = (byId.get(id) as (typeof nodes)[number]).callFrame
    const part = ownPart(frame) ?? (parent === undefined ? 'Node and V8' : partOf(parent))
    known.set(id, part)
    return part
  }
  const parts = new Map<string, number>()
  samples.forEach((id, index) => {
    const part = partOf(id)
    const us = (timeDeltas[index] as number) / (COUNT + WARM)
    parts.set(part, (parts.get(part) ?? 0) + us)
  })
  parts.delete('(idle)')
  return parts
}

function ownPart({ functionName, url }: CallFrame): string | undefined {
  if (functionName === '(idle)' || functionName === '(garbage collector)') return functionName
  const own = /packages\/([^/]+)\/dist\/src\//.exec(url)?.[1]
  if (own !== undefined) return `posthaste: ${own}`
  const library = /node_modules\/(?:\.pnpm\/[^/]+\/node_modules\/)?((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
  if (library === 'undici' && /dispatcher|handler|request/.test(url)) return CALLING
  if (library === 'fastify') return ACCEPTING
  return library
}
