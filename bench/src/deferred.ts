import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { putLoad } from './load.js'
import { ProcessWatch } from './process-watch.js'
import { printTable, writeResult } from './report.js'
import type { Site } from './site.js'
import { startRole } from './system.js'
import { Target } from './target.js'

/** How many are deferred. */
const COUNTS = { embedded: 1_000_000, nats: 100_000, kafka: 100_000 }
const CONNECTIONS = 256
const BODY_BYTES = 1_024
/** When all come due, from the start: late enough for all to be accepted, and to see them wait. */
const DUE_IN_MS = 180_000
const WAIT_MS = 10_000

/** Accepts very many for one and the same time, lets them wait, and sees them called. */
export async function deferred(site: Site): Promise<void> {
  const { dataDir, remove, settings } = site.install()
  const count = COUNTS[site.stream]
  const target = await Target.start()
  const posthaste = await startRole('start', dataDir, { settings })
  const dueMs = Date.now() + DUE_IN_MS
  const accepting = new ProcessWatch(posthaste.pid)
  const sent = await putLoad({
    url: posthaste.url,
    connections: CONNECTIONS,
    count,
    bodyBytes: BODY_BYTES,
    targets: target.urls,
    firstSequence: 0,
    fields: { notBefore: new Date(dueMs).toISOString() },
  })
  // What is deferred leaves the stream for the timers.
  await posthaste.settle()
  const accepted = accepting.end()
  // What a broker takes is the broker's to tell.
  const diskBytes = site.stream === 'embedded' ? statSync(join(dataDir, 'posthaste.lmdb')).blocks * 512 : 0
  if (Date.now() > dueMs - WAIT_MS) throw new Error('Accepting took so long that there is no time to wait.')
  const waiting = new ProcessWatch(posthaste.pid)
  await sleep(WAIT_MS)
  const waited = waiting.end()
  await sleep(Math.max(0, dueMs - Date.now() - 100))
  const firing = new ProcessWatch(posthaste.pid)
  while ((await target.count()) === 0) await sleep(1)
  const firstCallMs = Date.now() - dueMs
  const report = await target.until(count)
  await posthaste.settle()
  const fired = firing.end()
  await posthaste.stop()
  target.stop()
  remove()
  if (sent.accepted !== count || report.repeats > 0 || firstCallMs < 0)
    throw new Error('Lost, called twice or called early.')
  const figures = {
    count,
    'accepted/s': Math.round((count * 1e6) / (sent.endedUs - sent.startedUs)),
    'CPU s per 10,000 to accept and put off': (accepted.cpuS * 10_000) / count,
    ...(diskBytes > 0 && { 'disk bytes each, while they wait': Math.round(diskBytes / count) }),
    'CPU while they wait, of one processor': waited.cpuS / (WAIT_MS / 1_000),
    'first call after due, ms': firstCallMs,
    'completed/s': Math.round((count * 1e6) / (report.lastUs - report.firstUs)),
    'CPU s per 10,000 to fire and call': (fired.cpuS * 10_000) / count,
    'memory MiB, accepting': Math.round(Math.max(...accepted.memoryMiB)),
    'memory MiB, firing': Math.round(Math.max(...fired.memoryMiB)),
  }
  printTable(
    `${site.stream}: ${count} that are due at one moment`,
    Object.entries(figures).map(([figure, value]) => ({ figure, value })),
  )
  writeResult(`deferred-${site.stream}`, figures)
}
