import { putLoad } from './load.js'
import { machineUs } from './marked-body.js'
import { ProcessWatch } from './process-watch.js'
import { printTable, writeResult } from './report.js'
import type { Site } from './site.js'
import { startRole } from './system.js'
import { Target } from './target.js'

const CONNECTIONS = 256
const BODY_BYTES = 1_024
/** What is a backlog, and what hardly is one, to compare with. */
const COUNTS = [20_000, 1_000_000]

/** Accepts with the listener stopped, then starts it. */
export async function backlog(site: Site): Promise<void> {
  const results = []
  for (const count of COUNTS) results.push(await drain(site, count))
  printTable(`${site.stream}: a backlog, and what hardly is one, drained by a listener that was stopped`, results)
  writeResult(`backlog-${site.stream}`, { results })
}

async function drain(site: Site, count: number) {
  const { dataDir, remove, settings } = site.install()
  const target = await Target.start()
  const accepter = await startRole('accepter', dataDir, { settings })
  const load = { connections: CONNECTIONS, count, bodyBytes: BODY_BYTES, targets: target.urls, firstSequence: 0 }
  const sent = await putLoad({ ...load, url: accepter.url })
  await accepter.stop()
  if (sent.accepted !== count) throw new Error(`Not all were accepted: ${JSON.stringify(sent.refused)}`)

  const startedMs = machineUs() / 1_000
  const listener = await startRole('listener', dataDir, { settings })
  await target.until(1)
  const { firstUs } = await target.report()
  const firstCallMs = firstUs / 1_000 - startedMs
  const watch = new ProcessWatch(listener.pid)
  // The first and the last tenth: what waits behind must not slow what is called now.
  const tenthsMs: number[] = []
  for (let tenth = 0; tenth <= 10; tenth += 1) {
    await target.until(Math.max(1, (count * tenth) / 10))
    tenthsMs.push(performance.now())
  }
  await listener.settle()
  const report = await target.report()
  const { cpuS, memoryMiB } = watch.end()
  await listener.stop()
  target.stop()
  remove()
  if (report.repeats > 0) throw new Error(`${report.repeats} were called twice.`)
  const rate = (from: number, to: number): number =>
    ((count * (to - from)) / 10 / ((tenthsMs[to] as number) - (tenthsMs[from] as number))) * 1_000
  return {
    backlog: count,
    'accepted/s': Math.round((count * 1e6) / (sent.endedUs - sent.startedUs)),
    'first call after ms': Math.round(firstCallMs),
    'completed/s': Math.round((count * 1e6) / (report.lastUs - report.firstUs)),
    'of the 2nd tenth': Math.round(rate(1, 2)),
    'of the last': Math.round(rate(9, 10)),
    'CPU s per 10,000': (cpuS * 10_000) / count,
    'memory MiB, most': Math.round(Math.max(...memoryMiB)),
    'half way': Math.round(memoryMiB[memoryMiB.length >> 1] as number),
    'at the end': Math.round(memoryMiB.at(-1) as number),
  }
}
