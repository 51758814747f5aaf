import { putLoad } from './load.js'
import { anonymousMiB, ProcessWatch } from './process-watch.js'
import { printTable, writeResult } from './report.js'
import type { Site } from './site.js'
import { startPosthaste } from './system.js'
import { Target } from './target.js'

const COUNT = 1_000_000
const PARTS = 10
const CONNECTIONS = 64

/** A million invocations: what the process holds after each tenth of them. */
export async function soak(site: Site): Promise<void> {
  const target = await Target.start()
  const posthaste = await startPosthaste(site)
  const results = []
  for (let part = 0; part < PARTS; part += 1) {
    const count = COUNT / PARTS
    const watch = new ProcessWatch(posthaste.pid)
    const load = { connections: CONNECTIONS, count, bodyBytes: 1_024, targets: target.urls }
    const sent = await putLoad({ ...load, url: posthaste.url, firstSequence: part * count })
    const report = await target.until(count * (part + 1))
    if (sent.accepted !== count || report.repeats > 0) throw new Error('Something was refused, or called twice.')
    const { cpuS, memoryMiB } = watch.end()
    results.push({
      'invocations so far': count * (part + 1),
      'completed/s': Math.round((count * 1e6) / (report.lastUs - sent.startedUs)),
      'CPU s per 10,000': (cpuS * 10_000) / count,
      'memory MiB, most': Math.round(Math.max(...memoryMiB)),
      'at its end': Math.round(anonymousMiB(posthaste.pid)),
    })
  }
  await posthaste.stop()
  target.stop()
  printTable(`A million invocations, ${CONNECTIONS} connections`, results)
  writeResult('soak', { results })
}
