// A process that dies while it reads from a data directory: node killed-reader-process.js <directory>
import { Environment } from '../src/environment.js'

const [directory = ''] = process.argv.slice(2)
const environment = new Environment({ directory, reserveBytes: 0 })
environment.table<number>('table').get(1)
process.kill(process.pid, 'SIGKILL')
