// A process that counts up one number of a data directory: node counting-process.js <directory> <times>
import { Environment } from '../src/environment.js'

const [directory = '', times = '0'] = process.argv.slice(2)
const environment = new Environment({ directory, reserveBytes: 0 })
const numbers = environment.table<string>('numbers')
for (let time = 0; time < Number(times); time += 1) {
  await environment.commit(() => {
    const number = Number(numbers.get('counted')?.toString() ?? 0)
    numbers.putSync('counted', Buffer.from(String(number + 1)))
  })
}
await environment.close()
