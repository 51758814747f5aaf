import { type Measured, measure, mediansOf } from './measure.js'
import { printTable, writeResult } from './report.js'
import type { Site } from './site.js'
import { startPosthaste } from './system.js'
import { Target } from './target.js'

const ROUNDS = 3
const DELAY_MS = 3_000
const LOADS = {
  embedded: { connections: 64, count: 10_000, perSecond: 500, bodyBytes: 1_024 },
  nats: { connections: 64, count: 4_000, perSecond: 200, bodyBytes: 1_024 },
  kafka: { connections: 64, count: 4_000, perSecond: 200, bodyBytes: 1_024 },
}

/** How late deferred calls are that come due one after another. What accepting takes counts as lateness too. */
export async function lateness(site: Site): Promise<void> {
  const target = await Target.start()
  const rounds: Measured[] = []
  const load = { ...LOADS[site.stream], fields: { delay: `${DELAY_MS}ms` } }
  for (let round = 1; round <= ROUNDS; round += 1) {
    const system = await startPosthaste(site)
    rounds.push(await measure(system, target, load))
    await system.stop()
    console.log(`round ${round} of ${ROUNDS}`)
  }
  target.stop()
  const { callP50, callP99, cpuS } = mediansOf(rounds)
  const early = rounds.filter(({ callP50 }) => callP50 < DELAY_MS)
  if (early.length > 0) throw new Error('Called early.')
  printTable(
    `${site.stream}: ${load.count} that come due over ${load.count / load.perSecond} s, medians of ${ROUNDS}`,
    [
      { figure: 'late by p50, ms', value: callP50 - DELAY_MS },
      { figure: 'late by p99, ms', value: callP99 - DELAY_MS },
      { figure: 'CPU s per 10,000', value: cpuS },
    ],
  )
  writeResult(`lateness-${site.stream}`, { rounds })
}
