// thin first version
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureSync } from './disk.js'
import { putLoad } from './load.js'
import { ProcessWatch } from './process-watch.js'
import { startFloor, startPosthaste, type System } from './system.js'
import { Target } from './target.js'

const folder = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'posthaste-bench-'))
const count = Number(process.env.COUNT ?? 50000)
const which = (process.env.WHICH ?? 'floor,posthaste').split(',')
console.log('fdatasync', measureSync(folder))
const target = await Target.start()
for (const connections of (process.env.CONNS ?? '64,256').split(',').map(Number)) for (const name of which) {
  const system: System = name === 'floor' ? await startFloor() : await startPosthaste(folder, (process.env.PROF ?? '').split(' ').filter(Boolean))
  await target.reset()
  await putLoad({ url: system.url, connections, count: 20000, bodyBytes: 1024, targets: target.urls, firstSequence: 0 })
  await target.until(20000)
  await target.reset()
  const { threads } = await import('/tmp/prof/threads.mjs' as string); const t0 = threads(system.pid)
  const watch = new ProcessWatch(system.pid)
  const load = await putLoad({ url: system.url, connections, count, bodyBytes: 1024, targets: target.urls, firstSequence: 0 })
  const report = await target.until(count)
  const used = watch.end()
  const t1 = threads(system.pid); console.log(Object.entries(t1).map(([k, v]: any) => `${k.split(':')[0]} u${((v[0] - (t0[k]?.[0] ?? 0)) * 1e4 / count).toFixed(1)} s${((v[1] - (t0[k]?.[1] ?? 0)) * 1e4 / count).toFixed(1)}`).join(' | '))
  console.log(name, connections, 'accepted/s', Math.round(count / (load.endedUs - load.startedUs) * 1e6), 'p50', load.latencyMs.p50.toFixed(2), 'p99', load.latencyMs.p99.toFixed(2),
    'completed/s', Math.round(count / (report.lastUs - load.startedUs) * 1e6), 'cpu/10k', (used.cpuS / count * 1e4).toFixed(3), 'anon', used.memoryMiB.at(-1)?.toFixed(0), Math.max(...used.memoryMiB).toFixed(0), JSON.stringify(load.refused), report.repeats)
  await target.reset()
  if (connections === 64) {
    const slow = await putLoad({ url: system.url, connections, count: 2500, perSecond: 500, bodyBytes: 1024, targets: target.urls, firstSequence: 0 })
    const end = await target.until(2500)
    console.log('   500/s: accept p50', slow.latencyMs.p50.toFixed(2), 'e2e p50', end.latencyMs.p50.toFixed(2), 'p99', end.latencyMs.p99.toFixed(2))
  }
  await system.stop()
}
target.stop()
rmSync(folder, { recursive: true, force: true })
process.exit()
