// Run by a test, with few file descriptors: takes all that are left, and has calls wait for one.
import { closeSync, openSync } from 'node:fs'
import { Listener } from '../src/index.js'
import { finalStates, listenerOptions, Storage, silent, submit, until } from './setting.js'

const warnings: unknown[] = []
const log = { ...silent, warn: (details: object) => void warnings.push(details) }
const storage = new Storage()
const stream = await storage.open()
const consumer = await stream.consume('listeners', { member: 'test' })
const listener = new Listener({ ...listenerOptions(consumer, stream), log })
await listener.ping('ping', 1_000)

const taken = takeDescriptors()
const target = process.argv[2] as string
const brief = { target, expiresIn: '1s' }
await submit(stream, [brief, ...Array(98).fill({ target }), brief])
await until(() => warnings.length > 0)
// It tries again several times meanwhile.
const without = { ...(await listener.ping('ping', 1_500)), warnings }
for (const descriptor of taken) closeSync(descriptor)
const finals = await finalStates(stream, 100)
const after = { attempts: finals.map(({ attempt }) => attempt), ...(await listener.ping('ping', 5_000)) }

await listener.stop(0)
await consumer.stop()
await storage.destroy()
process.stdout.write(JSON.stringify({ taken: taken.length, without, after }))

function takeDescriptors(): number[] {
  const descriptors: number[] = []
  for (;;) {
    try {
      descriptors.push(openSync('/dev/null', 'r'))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EMFILE') return descriptors
      throw error
    }
  }
}
