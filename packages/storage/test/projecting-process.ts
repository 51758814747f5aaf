// A process that applies the same log to the view of a data directory as any other, until its input ends:
// node projecting-process.js <directory>. It says each batch that it applied, and whether another was faster with one.
import { Environment, InvocationView } from '../src/index.js'
import { applyNext } from './shared-log.js'

const [directory = ''] = process.argv.slice(2)
const environment = new Environment({ directory, file: 'view.lmdb', reserveBytes: 0 })
const retention = { ageMs: 1e12, bytes: 1e15, claimAgeMs: 1e12 }
const view = new InvocationView({ environment, retention })
let isOver = false
process.stdin.once('end', () => {
  isOver = true
})
process.stdin.resume()
while (!isOver) {
  const { applied, at } = await applyNext(view)
  process.stdout.write(`${applied} ${at}\n`)
}
await environment.close()
