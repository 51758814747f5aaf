// npm run fuzz [-- --requests 100000 --doorRequests 20000 --mutations 10000 --seed N]: sends a process random requests for
// what its OpenAPI document describes and to its front doors, and broken, smuggled and pipelined ones over raw sockets.
// Half of them where tokens are asked for. Ends with 1 if anything is wrong.

import { parseArgs } from 'node:util'
import { prepare } from './prepare.mjs'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '100000' },
    doorRequests: { type: 'string', default: '20000' },
    mutations: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
})
const options = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, Number(text)]))
await prepare()
const { fuzz } = await import('../test/dist/harness/fuzz-run.js')
console.log(`seed ${options.seed}`)
const { doorRequests, mutations, requests, seed } = options
const half = { requests: requests / 2, doorRequests: doorRequests / 2, mutations: mutations / 2, seed }
let faultCount = 0
for (const withTokens of [false, true]) faultCount += await fuzzOne({ ...half, withTokens })
console.log(`\n${faultCount} faults`)
process.exit(faultCount > 0 ? 1 : 0)

/** Returns how much is wrong. */
async function fuzzOne(options) {
  const works = []
  const startedMs = performance.now()
  const { done, faults, memoryMaxMiB, statuses } = await fuzz({ after: (work) => works.unshift(work) }, options)
  for (const work of works) await work()
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  console.log(
    `\n${options.withTokens ? 'with tokens' : 'without tokens'}: ${seconds} s, ${memoryMaxMiB} MiB of anonymous memory at the most`,
  )
  console.log('answers by status:', statuses)
  console.log('how often each operation was done:', done)
  const never = Object.keys(done).filter((operation) => done[operation] === 0)
  const all = [...faults, ...never.map((operation) => `${operation} was never done: this tested little of it.`)]
  for (const fault of all) console.error(`\nnot ok: ${fault}`)
  return all.length
}
