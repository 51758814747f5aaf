import t from 'tap'
import { fuzz } from './harness/fuzz-run.js'
import { createRandom } from './harness/random.js'

// `npm run fuzz` sends 100,000.
const OPTIONS = { requests: 1_500, doorRequests: 1_000, mutations: 100 }
const STATUSES = [200, 202, 400, 404, 413, 431]

const runs = {
  'whatever is sent is answered as the API describes, or refused, and nothing is smuggled': {
    withTokens: false,
    statuses: STATUSES,
  },
  'so it is where tokens are asked for, and nobody gets what is not his': {
    withTokens: true,
    statuses: [...STATUSES, 401, 403, 429],
  },
}

for (const [name, { statuses, withTokens }] of Object.entries(runs)) {
  t.test(name, async (t) => {
    const { seed } = createRandom()
    t.comment(`seed ${seed}`)
    const report = await fuzz(t, { ...OPTIONS, seed, withTokens })
    t.comment(`${report.memoryMaxMiB} MiB`, report.statuses, report.done)
    t.strictSame(report.faults, [])
    for (const status of statuses) t.ok((report.statuses[status] ?? 0) > 0, `some got ${status}`)
    // Of so few requests a rare operation may have none.
    const counts = Object.values(report.done)
    t.ok(counts.filter((count) => count > 0).length > counts.length / 2, 'most operations were done')
  })
}
