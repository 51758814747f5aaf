import { rmSync } from 'node:fs'
import { Environment } from '@posthaste/storage'
import type { Consumer, Delivery } from '@posthaste/stream'
import t, { type Test } from 'tap'
import { EmbeddedStream } from '../src/embedded-stream.js'
import { LEASE_MS } from '../src/lease.js'
import { makeDirectory, optionsFor } from './embedded-harness.js'
import { Member } from './member.js'
import { entryOf } from './record-entry.js'

const KEYS = ['a', 'b', 'c']

t.test('a member whose process was killed is replaced at once', async (t) => {
  const { directory, stream, standby } = await open(t)
  const holder = new Member(directory, 'holder', 'take')
  t.strictSame((await holder.heard('take')).keys, KEYS)
  t.strictSame(await standby.pull({ recordsMax: 10, bytesMax: 1e6, waitMs: 300 }), [], 'one stands by')
  t.match(await standby.progress(), [{ owner: 'other', member: 'holder', committed: 0, end: 3 }])

  const [deliveries, tookMs] = await timed(standby, () => holder.kill())
  t.strictSame(keysOf(deliveries), KEYS)
  t.ok(tookMs < LEASE_MS / 5, `after ${Math.round(tookMs)} ms`)
  t.match(await standby.progress(), [{ owner: 'this', member: 'standby' }])
  await stream.stop()
})

t.test('a member that was frozen for too long is replaced, and knows before it calls', async (t) => {
  const { directory, stream, standby } = await open(t)
  const holder = new Member(directory, 'holder', 'take')
  t.teardown(() => holder.kill())
  t.strictSame((await holder.heard('take')).keys, KEYS)

  const [deliveries, tookMs] = await timed(standby, async () => holder.tell('freeze'))
  t.strictSame(keysOf(deliveries), KEYS)
  t.ok(tookMs > LEASE_MS / 2, `not while it may be alive: after ${Math.round(tookMs)} ms`)
  t.ok(tookMs < LEASE_MS + 2_000, 'and not much later than its lease says')
  t.equal(await deliveries[0]?.complete(entryOf(deliveries[0])), 'done')

  const thawed = holder.heard('thaw')
  holder.wake()
  t.strictSame(await thawed, {
    did: 'thaw',
    held: [false, false, false],
    noticed: [false, false, false],
    completed: ['lost', 'lost', 'lost'],
    pulled: 0,
    owner: 'other',
  })
  for (const delivery of deliveries.slice(1)) t.equal(await delivery.complete(entryOf(delivery)), 'done')
  const journal: string[] = []
  for await (const { records } of stream.follow('journal', 'start', { untilEnd: true })) {
    journal.push(...records.map(({ key }) => key))
  }
  t.strictSame(journal, KEYS, 'what the frozen one completed late was not written')
})

t.test('a clock that is put forward or back moves no lease', async (t) => {
  const { directory, stream, standby } = await open(t)
  const holder = new Member(directory, 'holder', 'take')
  t.strictSame((await holder.heard('take')).keys, KEYS)
  const { now } = Date
  t.teardown(async () => {
    Date.now = now
    await holder.kill()
  })
  for (const jumpMs of [3_600_000, -3_600_000]) {
    Date.now = () => now() + jumpMs
    t.strictSame(await standby.pull({ recordsMax: 10, bytesMax: 1e6, waitMs: 300 }), [], `by ${jumpMs} ms`)
    t.match(await standby.progress(), [{ owner: 'other', member: 'holder' }])
  }
  const [deliveries] = await timed(standby, () => holder.kill())
  t.strictSame(keysOf(deliveries), KEYS)
  await stream.stop()
  t.match(await standby.progress(), [{ owner: 'none', inFlight: 0 }])
})

t.test('a member that only stands by does not keep the next one from taking over', async (t) => {
  const { directory, stream, standby } = await open(t)
  const holder = new Member(directory, 'holder', 'take')
  await holder.heard('take')
  await standby.pull({ recordsMax: 10, bytesMax: 1e6, waitMs: 0 })
  await standby.stop()
  t.match(await standby.progress(), [{ owner: 'other', member: 'holder' }], 'the lease of the other is untouched')
  const next = await stream.consume('group', { member: 'next' })
  const [deliveries] = await timed(next, () => holder.kill())
  t.strictSame(keysOf(deliveries), KEYS)
})

async function open(t: Test): Promise<{ directory: string; stream: EmbeddedStream; standby: Consumer }> {
  const directory = makeDirectory()
  const environment = new Environment({ directory, reserveBytes: 0 })
  const stream = new EmbeddedStream(optionsFor(environment))
  t.teardown(async () => {
    await stream.stop()
    await environment.close()
    rmSync(directory, { recursive: true })
  })
  await stream.start()
  await stream.append(
    'calls',
    KEYS.map((key) => ({ key, value: Buffer.from(key) })),
  )
  return { directory, stream, standby: await stream.consume('group', { member: 'standby' }) }
}

async function timed(standby: Consumer, cause: () => Promise<void>): Promise<[Delivery[], number]> {
  const pulling = standby.pull({ recordsMax: 10, bytesMax: 1e6, waitMs: 2 * LEASE_MS })
  const startedMs = performance.now()
  await cause()
  const deliveries = await pulling
  return [deliveries, performance.now() - startedMs]
}

function keysOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ record }) => record.key)
}
