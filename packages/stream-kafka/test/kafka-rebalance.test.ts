import type { Consumer, Delivery, Stream } from '@posthaste/stream'
import t from 'tap'
import { partitionOf } from '../src/partition-of.js'
import { Caller, Seen, watchdogFor } from './kafka-caller.js'
import { endOf, GROUP, oneOfEachPartition, pull, record, storageFor, textsOf, until } from './kafka-calls.js'
import { type KafkaStorage, noBroker } from './kafka-harness.js'

// What becomes of calls that run while their partitions are given to another member.

/** As many as a listener makes at once. */
const CALLS = 256
const CALL_MS = 5_000
/** Longer than a member is cut off here: it is to stay one. */
const LONG_SESSION_MS = 10_000
const PULL_MS_MAX = 15_000

if (noBroker) t.test('a Kafka rebalance', { skip: noBroker }, async () => undefined)
else tests()

function tests(): void {
  t.test('calls go on while members come and go, and are made once', { timeout: 90_000 }, async (t) => {
    const storage = storageFor(t)
    const seen = new Seen()
    const first = await Caller.start(storage, CALL_MS, seen)
    const begin = async (name: string): Promise<void> => {
      const total = seen.called.size + CALLS
      await first.stream.append(
        'calls',
        Array.from({ length: CALLS }, (_, index) => record(`${name}-${index}`)),
      )
      await until(async () => seen.called.size === total)
    }
    await begin('alone')
    const second = await Caller.start(storage, CALL_MS, seen)
    await until(async () => (await second.owns()) === 2)
    await begin('with a second')
    const third = await Caller.start(storage, CALL_MS, seen)
    await until(async () => (await third.owns()) === 1)
    await begin('with a third')
    await second.stop()
    await until(async () => (await first.owns()) + (await third.owns()) === 4)

    await until(async () => seen.children.size === 3 * CALLS)
    // Their watchdogs come, and are dropped.
    await until(async () => Date.now() > seen.dueMs && (await first.isDone()) && (await third.isDone()))
    const again = repeated(seen.called).filter(([key]) => !seen.lost.has(key))
    t.strictSame([seen.called.size, again], [3 * CALLS, []], 'each is called once, unless it was given up')
    t.strictSame(repeated(seen.children), [], 'and what follows from it comes once')
    t.strictSame(repeated(await endsOf(first.stream)), [], 'and it has one entry')
    t.ok(seen.checkOutMs.length >= CALLS / 4, `${seen.checkOutMs.length} calls were checked out`)
    t.comment(`${seen.lost.size} were given up`)
    t.comment(`the slowest check-out took ${Math.round(Math.max(...seen.checkOutMs))} ms`)
    await Promise.all([first.stop(), third.stop()])
  })

  t.test('what follows from a call that ends meanwhile is written by the next owner', async (t) => {
    const { delivery, next, stop } = await giveAway(storageFor(t))
    t.equal(await delivery.complete({ journal: [endOf(delivery)], children: [record('by the first')] }), 'done')
    const again = await pullKey(next, delivery.record.key)
    t.equal(String(Buffer.from((await again.begin(again.record)) as Uint8Array)), 'ended')
    t.equal(await again.complete({ again: true, children: [childOf(again)] }), 'done')
    t.strictSame(textsOf(await pull(next, 1)), ['child'], 'and by no other')
    await stop()
  })

  t.test('a check-out that comes too late has the call made again, once', async (t) => {
    const storage = storageFor(t)
    const { delivery, first, next, stop } = await giveAway(storage)
    storage.cut(first)
    const checkedOut = delivery.checkOut(watchdogFor(delivery, 1_000))
    const again = await pullKey(next, delivery.record.key)
    t.equal(await again.begin(again.record), 'fresh')
    storage.mend(first)
    t.equal(await checkedOut, 'lost')
    t.ok(delivery.lost.aborted)
    t.equal(await again.complete({ journal: [endOf(again)], children: [childOf(again)] }), 'done')
    t.strictSame(textsOf(await pull(next, 1)), ['child'])
    await until(async () => (await next.progress()).every(({ overdue }) => !overdue))
    t.strictSame(await pull(next, 1, 2_000), [], 'its watchdogs are dropped')
    t.equal((await endsOf(first)).get(delivery.record.key), 1)
    await stop()
  })

  t.test('of a call that two members make, one end has consequences', async (t) => {
    const { delivery, first, next, stop } = await giveAway(storageFor(t))
    t.equal(await delivery.checkOut(watchdogFor(delivery, 8_000)), 'done')
    // The same turn once more, as if the next owner had not heard of the check-out.
    await first.append('calls', [delivery.record])
    const other = await pullKey(next, delivery.record.key)
    t.equal(await other.begin(other.record), 'fresh')
    t.equal(await other.complete({ journal: [endOf(other)], children: [childOf(other)] }), 'done')
    t.equal(await delivery.complete({ journal: [endOf(delivery)], children: [record('by the first')] }), 'done')
    t.strictSame(textsOf(await pull(next, 1)), ['child'])
    t.strictSame(await pull(next, 1, 2_000), [], 'those of the first entry')
    await stop()
  })
}

interface GivenAway {
  readonly first: Stream
  /** In the hands of the first member, which loses it now. */
  readonly delivery: Delivery
  readonly next: Consumer
  stop(): Promise<void>
}

/** Has a member take a record of each partition, and another join it. */
async function giveAway(storage: KafkaStorage): Promise<GivenAway> {
  const options = { sessionTimeoutMs: LONG_SESSION_MS }
  const [first, second] = [storage.open(options), storage.open(options)]
  await Promise.all([first.start(), second.start()])
  await first.append('calls', oneOfEachPartition())
  const deliveries = await pull(await first.consume(GROUP), 4)
  const next = await second.consume(GROUP)
  await until(async () => deliveries.some(({ leaving }) => leaving))
  const [delivery, ...others] = deliveries.filter(({ leaving }) => leaving) as [Delivery, ...Delivery[]]
  await Promise.all(others.map((other) => other.complete({ journal: [endOf(other)] })))
  const stop = async (): Promise<void> => {
    await Promise.all([first.stop(), second.stop()])
  }
  return { first, delivery, next, stop }
}

async function pullKey(consumer: Consumer, key: string): Promise<Delivery> {
  for (const untilMs = performance.now() + PULL_MS_MAX; performance.now() < untilMs; ) {
    for (const delivery of await consumer.pull({ recordsMax: 1, bytesMax: 1e9, waitMs: 1_000 })) {
      if (delivery.record.key === key) return delivery
    }
  }
  throw new Error(`${key} did not come`)
}

/** Comes to the same partition. */
function childOf({ record: { partition } }: Delivery) {
  for (let index = 0; ; index += 1) {
    const key = `child-${index}`
    if (partitionOf(key, 4) === partition) return record(key, 'child')
  }
}

function repeated(times: ReadonlyMap<string, number>): [string, number][] {
  return [...times].filter(([, count]) => count > 1)
}

/** How many entries each key has. */
async function endsOf(stream: Stream): Promise<Map<string, number>> {
  const ends = new Map<string, number>()
  for await (const { records } of stream.follow('journal', 'start', { untilEnd: true })) {
    for (const { key } of records) ends.set(key, (ends.get(key) ?? 0) + 1)
  }
  return ends
}
