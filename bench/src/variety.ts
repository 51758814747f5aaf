import { setTimeout as sleep } from 'node:timers/promises'
import { type Measured, measure, warmUp } from './measure.js'
import { printTable, writeResult } from './report.js'
import type { Site } from './site.js'
import { startPosthaste } from './system.js'
import { Target } from './target.js'

/** The largest record less what stands around the body. */
const LARGEST_BYTES = 1_024 * 1_024 - 1_024
const SIZES = [
  { bytes: 100, count: 50_000 },
  { bytes: 1_024, count: 50_000 },
  { bytes: 64 * 1_024, count: 10_000 },
  { bytes: LARGEST_BYTES, count: 1_000 },
]
const DELAYS = [
  { delayMs: 0, count: 50_000 },
  { delayMs: 5, count: 50_000 },
  { delayMs: 50, count: 30_000 },
  { delayMs: 500, count: 10_000 },
]
/** A target may have a fifth of all places: so many that 2,000 calls can run for the one that is slow. */
const WIDE = { concurrency: '10000', concurrencyPerTarget: '2000' }
const TARGETS = [
  { targets: 1, count: 50_000 },
  { targets: 100, count: 50_000 },
  { targets: 10_000, count: 50_000 },
]
/** Connections that nobody uses are closed after 30 s. */
const CLOSED_AFTER_MS = 35_000

/** Bodies of other sizes. */
export async function bodies(site: Site): Promise<void> {
  const results = []
  const target = await Target.start()
  for (const { bytes, count } of SIZES) {
    const posthaste = await startPosthaste(site)
    const load = { connections: 64, count, bodyBytes: bytes }
    await warmUp(posthaste, target, load)
    const measured = await measure(posthaste, target, load)
    await posthaste.stop()
    results.push({
      'body bytes': bytes,
      ...rowOf(measured),
      'MB/s': (measured.completedPerS * bytes) / 1e6,
    })
  }
  target.stop()
  printTable('Bodies, 64 connections', results)
  writeResult('bodies', { results })
}

/** Targets that take their time, with places enough for each. */
export async function delays(site: Site): Promise<void> {
  const results = []
  const target = await Target.start()
  for (const { delayMs, count } of DELAYS) {
    const posthaste = await startPosthaste(site, { settings: WIDE })
    const load = { connections: 64, count, bodyBytes: 1_024, delayMs }
    await warmUp(posthaste, target, load)
    const measured = await measure(posthaste, target, load)
    const { connectionsMost } = await target.report()
    await posthaste.stop()
    results.push({ 'target takes ms': delayMs, ...rowOf(measured), 'connections, most': connectionsMost })
  }
  target.stop()
  printTable(`Slow targets, 64 connections, ${JSON.stringify(WIDE)}`, results)
  writeResult('delays', { settings: WIDE, results })
}

/** Few and many targets. */
export async function targets(site: Site): Promise<void> {
  const results = []
  for (const { count, targets: ports } of TARGETS) {
    const target = await Target.start(ports)
    const posthaste = await startPosthaste(site)
    const load = { connections: 64, count, bodyBytes: 1_024 }
    await warmUp(posthaste, target, load)
    const measured = await measure(posthaste, target, load)
    const { connections, connectionsMost } = await target.report()
    await sleep(CLOSED_AFTER_MS)
    const after = await target.report()
    await posthaste.stop()
    target.stop()
    results.push({
      targets: ports,
      ...rowOf(measured),
      'connections, most': connectionsMost,
      'at the end': connections,
      [`${CLOSED_AFTER_MS / 1_000} s later`]: after.connections,
    })
  }
  printTable('Targets, 64 connections', results)
  writeResult('targets', { results })
}

function rowOf(measured: Measured) {
  return {
    'accepted/s': Math.round(measured.acceptedPerS),
    'completed/s': Math.round(measured.completedPerS),
    'call p50 ms': measured.callP50,
    'CPU s per 10,000': measured.cpuS,
    'memory MiB': Math.round(measured.memoryMaxMiB),
  }
}
