import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createEmbedded } from './embedded-installation.js'
import { createCallers } from './fuzz-callers.js'
import { Fuzzer, type FuzzOptions, type FuzzReport } from './fuzzer.js'
import { PosthasteProcess } from './posthaste-process.js'
import { SMUGGLED } from './raw-attempts.js'
import { TargetServer } from './target-server.js'
import { temporaryDirectory } from './temporary-directory.js'

/** What an idle process has, and what it may need for the largest requests. */
const MEMORY_MIB_MAX = 768

interface Options extends Pick<FuzzOptions, 'mutations' | 'requests' | 'seed'> {
  /** Whether callers have to say who they are. */
  readonly withTokens: boolean
}

/** Fuzzes a process of its own, with a target that it may call, and no other. Its end must be in order too. */
export async function fuzz(
  t: { after(work: () => void): unknown },
  { withTokens, ...options }: Options,
): Promise<FuzzReport> {
  const target = await TargetServer.start(({ path }) => ({ status: path.startsWith('/refuses') ? 400 : 200 }))
  t.after(() => void target.stop())
  const { callers, tokens } = createCallers()
  const file = join(temporaryDirectory(t), 'tokens.json')
  writeFileSync(file, tokens)
  const settings = { ...createEmbedded(t).settings, allowTargets: target.url, ...(withTokens && { tokens: file }) }
  const posthaste = await PosthasteProcess.start({ role: 'start', settings })
  // Where it all fails, too.
  t.after(() => posthaste.kill())
  const { pid, url } = posthaste
  const report = await new Fuzzer({ ...options, url, pid, targetUrl: target.url, ...(withTokens && { callers }) }).run()
  const faults = [...report.faults]
  const smuggled = target.arrivals.filter(({ path }) => path.startsWith(SMUGGLED))
  if (smuggled.length > 0) faults.push(`${smuggled.length} requests were smuggled.`)
  if (target.arrivals.length === 0) faults.push('Nothing was called: this tested little.')
  if (report.memoryMaxMiB > MEMORY_MIB_MAX) faults.push(`It took ${report.memoryMaxMiB} MiB of memory.`)
  if (posthaste.exit) faults.push(`It ended: ${JSON.stringify(posthaste.exit)}`)
  const { code } = await posthaste.stop()
  if (code !== 0) faults.push(`Its exit code is ${code}.`)
  return { ...report, faults }
}
