import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '@posthaste/test/harness/client.js'
import { FunctionProcess } from '@posthaste/test/harness/function-process.js'
import { laterDoors, laterFunctions } from '@posthaste/test/harness/later-doors.js'
import { printTable, writeResult } from './report.js'
import type { Site } from './site.js'
import { spreadOf } from './spread.js'
import { startPosthaste } from './system.js'

const WARM_COUNT = 100
const COUNT = 200
const CALL_MS = 60_000
const AIM_MS = 10
const BODY = JSON.stringify({ text: 'x'.repeat(1_000) })

/** How soon each front door accepts a call of a function that takes a minute: one request at a time, each door in turn. */
export async function doors(site: Site): Promise<void> {
  const ends: (() => void)[] = []
  const fn = await FunctionProcess.start({ after: (work) => ends.push(work) })
  // Nothing of a measurement that failed stays.
  process.once('exit', () => {
    for (const end of ends) end()
  })
  const all = laterDoors(`${fn.url}/told`)
  const functions = join(site.folder, 'functions.json')
  writeFileSync(functions, laterFunctions(all, `${fn.url}/wait/${CALL_MS}`, CALL_MS))
  const system = await startPosthaste(site, { settings: { functions, allowAddresses: '127.0.0.0/8' } })
  const client = new Client({ connections: 1 })
  const took = all.map((door) => ({ door, ms: new Float64Array(COUNT) }))
  for (let number = -WARM_COUNT; number < COUNT; number += 1) {
    for (const { door, ms } of took) {
      const startedMs = performance.now()
      const { status } = await client.request(system.url + door.path, 'POST', BODY, door.headers)
      if (status !== 202) throw new Error(`${door.name}: the answer is ${status}.`)
      if (number >= 0) ms[number] = performance.now() - startedMs
    }
  }
  client.close()
  // Calls that are cut off need no waiting for.
  for (const end of ends) end()
  await system.stop()
  const rows = took.map(({ door: { name }, ms }) => ({ door: name, ...spreadOf(ms) }))
  printTable(
    `${site.stream}: from request to 202, ${COUNT} requests one after the other, median below ${AIM_MS} ms`,
    rows.map(({ door, max, p50, p99 }) => ({ door, 'p50, ms': p50, 'p99, ms': p99, 'max, ms': max })),
  )
  writeResult(`doors-${site.stream}`, { rows })
}
