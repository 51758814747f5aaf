// A process that dies while it reads from a data directory: node killed-reader-process.js <directory>
import { Environment } from '../src/environment.js'

const [directory = ''] = process.argv.slice(2)
const environment = new Environment({ directory, reserveBytes: 0 })
const table = environment.table<number>('table')
await environment.commit(() => table.putSync(0, Buffer.from('read')))
environment.refresh()
// From here to the end of the turn a read transaction is open.
table.get(0)
process.kill(process.pid, 'SIGKILL')
