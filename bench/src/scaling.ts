import { putLoad } from './load.js'
import { printTable, writeResult } from './report.js'
import { openSite, type Site } from './site.js'
import { type System, startRole } from './system.js'
import { Target } from './target.js'

const LISTENERS = [1, 2, 4]
const COUNT_EACH = 15_000
/** So that the target's time decides, and not the processors. */
const DELAY_MS = 50
/** Calls that a listener has running at once. */
const CONCURRENCY = 32

/** Completed calls a second with 1, 2 and 4 listeners on one broker, each with a share of a slow target. */
export async function scaling({ folder }: Site): Promise<void> {
  const results = []
  for (const stream of ['nats', 'kafka'] as const) {
    const site = await openSite(stream, folder)
    for (const listeners of LISTENERS) {
      const completedPerS = await drain(site, listeners)
      const most = (listeners * CONCURRENCY * 1_000) / DELAY_MS
      results.push({
        stream,
        listeners,
        'completed/s': completedPerS,
        'of what the target allows': completedPerS / most,
      })
    }
    await site.close()
  }
  printTable(`A target that takes ${DELAY_MS} ms, ${CONCURRENCY} calls at once in each listener`, results)
  writeResult('scaling', { results })
}

async function drain(site: Site, count: number): Promise<number> {
  const { dataDir, remove, settings } = site.install()
  const target = await Target.start()
  await target.reset(DELAY_MS)
  const options = { settings: { ...settings, concurrencyPerTarget: String(CONCURRENCY) } }
  const accepter = await startRole('accepter', dataDir, options)
  const listeners: System[] = await Promise.all(
    Array.from({ length: count }, () => startRole('listener', dataDir, options)),
  )
  const load = { connections: 64, count: COUNT_EACH * count, bodyBytes: 1_024, targets: target.urls, firstSequence: 0 }
  // Members share the work before there is much of it: what is measured is calling, not joining.
  await putLoad({ ...load, url: accepter.url, count: 500 })
  await target.until(500)
  await target.reset(DELAY_MS)
  const sent = await putLoad({ ...load, url: accepter.url, firstSequence: 500 })
  if (sent.accepted !== load.count) throw new Error(`Not all were accepted: ${JSON.stringify(sent.refused)}`)
  const report = await target.until(load.count)
  if (report.repeats > 0) throw new Error(`${report.repeats} were called twice.`)
  await Promise.all([accepter, ...listeners].map((system) => system.stop()))
  target.stop()
  remove()
  return (load.count * 1e6) / (report.lastUs - report.firstUs)
}
