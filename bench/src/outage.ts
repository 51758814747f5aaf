import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { type OutagePlan, simulateOutage } from '@posthaste/test/harness/outage.js'
import { printTable, writeResult } from './report.js'
import type { Site } from './site.js'

const MINUTE_MS = 60_000
const PLAN: OutagePlan = { targets: 10, perSecond: 200, stepMs: 500, calmMs: 2 * MINUTE_MS, outageMs: 60 * MINUTE_MS }
/** What is parked is put on the timers, and comes back to the calls: on the embedded stream and on NATS. */
const APPENDS_PER_PARK = 2

/** An hour's outage of one of ten targets, by a clock that is moved. */
export async function outage(site: Site): Promise<void> {
  const { othersMs, ...counts } = await simulateOutage(mkdtempSync(join(site.folder, 'outage-')), PLAN)
  const figures = {
    instructions: counts.accepted,
    'of these for the dead target': counts.acceptedForDead,
    succeeded: counts.succeeded,
    failed: counts.failed,
    'calls in vain, probes included': counts.inVain,
    'instructions parked': counts.parked,
    'parks of each, mean': counts.parks / counts.parked,
    'parks of each, most': counts.parksMax,
    'appends for the parks of each, most': counts.parksMax * APPENDS_PER_PARK,
    'for other targets moved aside': counts.othersAside,
    'first call after its return, s': counts.firstAfterMs / 1_000,
    'last of those parked, s': counts.lastAfterMs / 1_000,
    'calls in the busiest second': counts.busiestSecond,
  }
  printTable(
    'An hour without one of ten targets, 200 instructions a second',
    Object.entries(figures).map(([figure, value]) => ({ figure, value })),
  )
  const phases = Object.entries(othersMs).map(([phase, all]) => {
    const sorted = [...all].sort((one, other) => one - other)
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
    return { phase, 'p50 ms': at(0.5), 'p99 ms': at(0.99), 'most ms': at(1) }
  })
  printTable('Calls to the nine others: real time for what comes in half a second', phases)
  writeResult('outage', { plan: PLAN, figures, phases })
}
