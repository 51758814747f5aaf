import { type Measured, measure, mediansOf } from './measure.js'
import { printTable, writeResult } from './report.js'
import type { Site } from './site.js'
import { startPosthaste } from './system.js'
import { Target } from './target.js'

const ROUNDS = 3
const WARM_COUNT = 15_000
const LOAD = { connections: 64, count: 60_000, bodyBytes: 1_024 }
const VIEWS = ['off', 'on'] as const

type View = (typeof VIEWS)[number]

/** What the view costs: Posthaste without and with it, in turn. */
export async function viewCost(site: Site): Promise<void> {
  const target = await Target.start()
  const rounds: { readonly view: View; readonly measured: Measured; readonly shownAfterMs: number }[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const view of VIEWS) {
      const system = await startPosthaste(site, { settings: { view } })
      await measure(system, target, { ...LOAD, count: WARM_COUNT })
      const measured = await measure(system, target, LOAD)
      const shownAfterMs = view === 'on' ? await untilShown(system.url, WARM_COUNT + LOAD.count) : 0
      await system.stop()
      rounds.push({ view, measured, shownAfterMs })
      console.log(`round ${round} of ${ROUNDS}: view ${view}`)
    }
  }
  target.stop()
  const medians = Object.fromEntries(
    VIEWS.map((view) => [view, mediansOf(rounds.filter((one) => one.view === view).map(({ measured }) => measured))]),
  ) as Record<View, Measured>
  const row = (figure: string, read: (one: Measured) => number, aim = '') => {
    const [off, on] = [read(medians.off), read(medians.on)]
    return { figure, 'view off': off, 'view on': on, ratio: on / off, aim }
  }
  printTable(`What the view costs, ${site.stream}: medians of ${ROUNDS}`, [
    row('accepted a second', ({ acceptedPerS }) => acceptedPerS),
    row('completed a second', ({ completedPerS }) => completedPerS, 'ratio from 0.8'),
    row('accepting p50, ms', ({ acceptP50 }) => acceptP50),
    row('CPU s per 10,000', ({ cpuS }) => cpuS),
    row('anonymous memory, MiB', ({ memoryMaxMiB }) => memoryMaxMiB),
  ])
  const shown = rounds.filter(({ view }) => view === 'on').map(({ shownAfterMs }) => Math.round(shownAfterMs))
  console.log(`the view shows all that has ended ${shown.join(', ')} ms after the last was recorded`)
  writeResult('view-cost', { medians, rounds })
}

/** Resolves with how long it took until so many have succeeded in the view. */
async function untilShown(url: string, count: number): Promise<number> {
  const startedMs = performance.now()
  for (;;) {
    const { states } = (await (await fetch(`${url}/stats`)).json()) as { states: Record<string, number> }
    if ((states.succeeded ?? 0) >= count) return performance.now() - startedMs
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
