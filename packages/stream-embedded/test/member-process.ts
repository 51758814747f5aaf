// A process on a data directory, told by messages what to do: node member-process.js <directory> <name>
import { Environment } from '@posthaste/storage'
import type { Delivery } from '@posthaste/stream'
import { EmbeddedStream } from '../src/embedded-stream.js'
import { optionsFor } from './embedded-harness.js'
import { entryOf } from './record-entry.js'

export type Command = 'append' | 'consume' | 'take' | 'freeze'
export type Message =
  | { readonly did: 'append'; readonly keys: readonly string[] }
  | { readonly did: 'complete'; readonly keys: readonly string[] }
  | { readonly did: 'take'; readonly keys: readonly string[] }
  | {
      readonly did: 'thaw'
      readonly held: readonly boolean[]
      readonly noticed: readonly boolean[]
      readonly completed: readonly string[]
      readonly pulled: number
      readonly owner: string
    }

const [directory = '', name = ''] = process.argv.slice(2)
const stream = new EmbeddedStream(optionsFor(new Environment({ directory, reserveBytes: 0 })))
await stream.start()
const consumer = await stream.consume('group', { member: name })
let taken: Delivery[] = []

process.on('disconnect', () => process.exit())
process.on('message', (command: Command) => void doers[command]())

const doers: Record<Command, () => Promise<unknown>> = {
  append: () => Promise.all(Array.from({ length: 8 }, (_, caller) => appendOn(`${name}-${caller}`))),
  consume,
  take,
  freeze: freezeAndThaw,
}

function tell(message: Message): void {
  process.send?.(message)
}

async function appendOn(caller: string): Promise<void> {
  for (let lot = 0; ; lot += 1) {
    const keys = Array.from({ length: 1 + (lot % 3) }, (_, index) => `${caller}-${lot}-${index}`)
    await stream.append(
      'calls',
      keys.map((key) => ({ key, value: Buffer.alloc(200, key) })),
    )
    tell({ did: 'append', keys })
  }
}

async function consume(): Promise<void> {
  for (;;) {
    const deliveries = await consumer.pull({ recordsMax: 50, bytesMax: 1e6, waitMs: 1_000 })
    // Out of order, and not all at one time.
    for (const delivery of deliveries.reverse()) void completeOne(delivery)
    await deliveries.at(-1)?.complete(entryOf(deliveries.at(-1) as Delivery))
  }
}

async function completeOne(delivery: Delivery): Promise<void> {
  if (delivery.record.offset % 3 === 0) await new Promise(setImmediate)
  if ((await delivery.complete(entryOf(delivery))) === 'done') tell({ did: 'complete', keys: [delivery.record.key] })
}

async function take(): Promise<void> {
  taken = await consumer.pull({ recordsMax: 10, bytesMax: 1e6, waitMs: 10_000 })
  tell({ did: 'take', keys: taken.map(({ record }) => record.key) })
}

/** Stops itself while it does nothing else: a process that is frozen within a commit keeps LMDB's writer lock. */
async function freezeAndThaw(): Promise<void> {
  const frozenMs = performance.now()
  process.kill(process.pid, 'SIGSTOP')
  // No turn of the event loop until it was woken, so that it cannot have noticed anything.
  while (performance.now() < frozenMs + 1_000);
  const held = taken.map((delivery) => delivery.held())
  const noticed = taken.map(({ lost }) => lost.aborted)
  const completed = await Promise.all(taken.map((delivery) => delivery.complete(entryOf(delivery))))
  const pulled = (await consumer.pull({ recordsMax: 10, bytesMax: 1e6, waitMs: 300 })).length
  const owner = (await consumer.progress())[0]?.owner ?? ''
  tell({ did: 'thaw', held, noticed, completed, pulled, owner })
}
