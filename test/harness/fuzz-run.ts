import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FUNCTION_HEADER, REFUSED_HEADER } from './door-fuzz.js'
import { FUNCTIONS, LARGE, ROUTE } from './door-requests.js'
import { createEmbedded } from './embedded-installation.js'
import { createCallers } from './fuzz-callers.js'
import { Fuzzer, type FuzzOptions, type FuzzReport } from './fuzzer.js'
import { startOddFunction } from './odd-function.js'
import { PosthasteProcess } from './posthaste-process.js'
import { SMUGGLED } from './raw-attempts.js'
import { TargetServer } from './target-server.js'
import { temporaryDirectory } from './temporary-directory.js'

/** As long as the slowest call may take, and more. */
const CALLS_MS_MAX = 60_000
/** What an idle process has, and what it may need for the largest requests. */
const MEMORY_MIB_MAX = 768

const LARGE_BODY = 'x'.repeat(8 * 1024 * 1024)

interface Options extends Pick<FuzzOptions, 'doorRequests' | 'mutations' | 'requests' | 'seed'> {
  /** Whether callers have to say who they are. */
  readonly withTokens: boolean
}

type Works = { after(work: () => void): unknown }

/** Fuzzes a process of its own, with a target that it may call, and no other. Its end must be in order too. */
export async function fuzz(t: Works, { withTokens, ...options }: Options): Promise<FuzzReport> {
  let letInCount = 0
  const target = await TargetServer.start(({ path }, { headers, socket }) => {
    if (headers[REFUSED_HEADER] !== undefined) letInCount += 1
    if (path.startsWith('/slow')) return 'never'
    if (path.startsWith('/breaking')) socket.destroy()
    const body = path.startsWith(`/${LARGE}`) ? LARGE_BODY : ''
    return { status: /^\/refus/.test(path) ? 400 : 200, headers: { [FUNCTION_HEADER]: '1' }, body }
  })
  t.after(() => void target.stop())
  const { callers, tokens } = createCallers()
  const settings = {
    ...createEmbedded(t).settings,
    allowTargets: target.url,
    functions: write(t, 'functions.json', functionsAt(target.url, await startOddFunction(t))),
    ...(withTokens && { tokens: write(t, 'tokens.json', tokens) }),
  }
  const posthaste = await PosthasteProcess.start({ role: 'start', settings })
  // Where it all fails, too.
  t.after(() => posthaste.kill())
  const { pid, url } = posthaste
  const report = await new Fuzzer({ ...options, url, pid, targetUrl: target.url, ...(withTokens && { callers }) }).run()
  const faults = [...report.faults]
  await target.until(({ waiting }) => waiting === 0, CALLS_MS_MAX).catch((error: Error) => faults.push(error.message))
  const smuggled = target.arrivals.filter(({ path }) => path.startsWith(SMUGGLED))
  if (smuggled.length > 0) faults.push(`${smuggled.length} requests were smuggled.`)
  if (letInCount > 0) faults.push(`${letInCount} requests came to a function that were to be refused.`)
  if (target.arrivals.length === 0) faults.push('Nothing was called: this tested little.')
  if (report.memoryMaxMiB > MEMORY_MIB_MAX) faults.push(`It took ${report.memoryMaxMiB} MiB of memory.`)
  if (posthaste.exit) faults.push(`It ended: ${JSON.stringify(posthaste.exit)}`)
  const failures = posthaste.lines.filter(({ msg }) => msg === 'a request failed')
  faults.push(...failures.map((line) => JSON.stringify(line)))
  const { code } = await posthaste.stop()
  if (code !== 0) faults.push(`Its exit code is ${code}.`)
  return { ...report, faults }
}

function functionsAt(url: string, oddUrl: string): string {
  const names = [...FUNCTIONS.answering, ...FUNCTIONS.failing, LARGE]
  const functions = Object.fromEntries(
    names.map((name) => [name, { url: `${url}/${name}`, timeout: '30s', retry: { maxAttempts: 1 } }]),
  )
  const particular = {
    good: { routes: [ROUTE] },
    slow: { timeout: '100ms' },
    gone: { url: 'http://127.0.0.1:1' },
    odd: { url: oddUrl },
  }
  for (const [name, more] of Object.entries(particular)) Object.assign(functions[name] as object, more)
  return JSON.stringify({ functions })
}

function write(t: Works, name: string, text: string): string {
  const path = join(temporaryDirectory(t), name)
  writeFileSync(path, text)
  return path
}
