import { setTimeout as sleep } from 'node:timers/promises'
import type { Delivery } from '@posthaste/stream'
import { connect } from 'nats'
import t from 'tap'
import { NO_SERVER, SERVER } from './nats-harness.js'
import { connectWith, excess, freeze, GROUP, pull, pullOne, readAll, record, Streams, textOf } from './work.js'

const skip = NO_SERVER
const SHORT = { ackWaitMs: 1_000 }
const HELD_BACK = '+WPI'

t.test('a call that takes longer than the ack wait runs once', { skip }, async (t) => {
  const streams = new Streams(t)
  const stream = await streams.start(SHORT)
  const consumer = await stream.consume(GROUP)
  const other = await (await streams.start(SHORT)).consume(GROUP)
  await stream.append('calls', [record('long')])
  const delivery = await pullOne(consumer)
  t.strictSame((await Promise.all([excess(consumer, 5_000), excess(other, 5_000)])).flat(), [])
  t.equal(delivery.held(), true)
  t.equal(await delivery.complete({ journal: [record('long', 'ended')] }), 'done')
  t.strictSame(await excess(other, 1_500), [])
})

t.test('of two who work on one record the first to complete it counts', { skip }, async (t) => {
  const streams = new Streams(t)
  // It gives no sign of life, and does not know.
  const silent = await streams.start({ ...SHORT, connect: connectWith((_, data) => data !== HELD_BACK) })
  const other = await (await streams.start(SHORT)).consume(GROUP)
  await silent.append('calls', [record('a')])
  const first = await pullOne(await silent.consume(GROUP))
  const second = await pullOne(other)
  t.equal(await second.begin(record('a')), 'fresh')
  t.equal(first.held(), false, 'the silent one knows that another may have it')
  while (!first.lost.aborted) await sleep(10)

  const child = record('child')
  t.equal(await first.complete({ journal: [record('a', 'the first')], children: [child] }), 'done', 'it came first')
  t.equal(await second.complete({ journal: [record('a', 'the second')], children: [record('no')] }), 'lost')
  t.equal(second.lost.aborted, true)
  t.strictSame(await readAll(silent, 'journal'), ['the first'])
  t.equal(textOf((await pullOne(other)).record), 'child')
  t.strictSame(await excess(other, 1_500), [])
})

t.test('what was lost before anybody pulled it is not given back', { skip }, async (t) => {
  const streams = new Streams(t)
  const givenBack: string[] = []
  const silent = await streams.start({
    ...SHORT,
    connect: connectWith((subject, data) => {
      if (data === '-NAK') givenBack.push(subject)
      return data !== HELD_BACK
    }),
  })
  const consumer = await silent.consume(GROUP)
  await silent.append('calls', [record('a'), record('b')])
  // Both are asked for, and one is enough.
  t.equal((await consumer.pull({ recordsMax: 2, bytesMax: 1, waitMs: 5_000 })).length, 1)
  const other = await (await streams.start(SHORT)).consume(GROUP)
  await pull(other, 2)
  // That nothing is given back takes time to show.
  t.strictSame(await excess(other, 4_000), [])
  t.strictSame(givenBack, [])
})

t.test('without an entry in the journal a record that was lost is not completed', { skip }, async (t) => {
  const streams = new Streams(t)
  const silent = await streams.start({ ...SHORT, connect: connectWith((_, data) => data !== HELD_BACK) })
  await silent.append('calls', [record('a')])
  const first = await pullOne(await silent.consume(GROUP))
  await pullOne(await (await streams.start(SHORT)).consume(GROUP))
  t.equal(await first.complete({ children: [record('child')] }), 'lost')
  t.strictSame(await readAll(silent, 'calls'), ['a'])
})

t.test('an entry that was written and not answered is found again', { skip }, async (t) => {
  let breaks = 1
  const streams = new Streams(t)
  const stream = await streams.start({
    connect: connectWith((subject, _, connection) => {
      if (subject.includes('.journal.') && breaks > 0) {
        breaks -= 1
        setImmediate(() => void connection.reconnect())
      }
      return true
    }),
  })
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record('a')])
  const delivery = await pullOne(consumer)
  t.equal(await delivery.complete({ journal: [record('a', 'ended')], children: [record('child')] }), 'done')
  t.equal(breaks, 0)
  t.strictSame(await readAll(stream, 'journal'), ['ended'])
  t.equal(textOf((await pullOne(consumer)).record), 'child')
})

t.test('a member that was frozen knows that its records may be lost', { skip }, async (t) => {
  const streams = new Streams(t)
  const stream = await streams.start(SHORT)
  const other = await streams.start(SHORT)
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record('before')])
  const before = await pullOne(consumer)
  const pulling = pullOne(consumer)
  const appending = other.append('calls', [record('during')])
  // Long enough for the request to go out, not for the answer to come.
  for (let turn = 0; turn < 10; turn += 1) await undefined
  freeze(1_300)
  t.equal(before.held(), false, 'of what it had before')
  const during = await pulling
  t.equal(textOf(during.record), 'during')
  t.equal(during.held(), false, 'and of what came meanwhile')
  await appending
})

t.test('what another producer writes is delivered, with an empty key', { skip }, async (t) => {
  const streams = new Streams(t)
  const consumer = await (await streams.start()).consume(GROUP)
  const nats = await connect({ servers: SERVER })
  await nats
    .jetstream()
    .publish(`${streams.prefix}.calls`, '{\n  "target": "http://127.0.0.1/"\n}', { msgID: 'order.1.1' })
  await nats.close()
  const { record } = await pullOne(consumer)
  t.match(record, { key: '', log: 'calls', partition: 0, offset: 1 })
  t.equal(textOf(record), '{\n  "target": "http://127.0.0.1/"\n}')
})

t.test('a batch that the server refuses is written all the same', { skip }, async (t) => {
  const stream = await new Streams(t).start()
  const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`)
  await Promise.all([...keys, 'key-7', 'key-8'].map((key) => stream.append('calls', [record(key)])))
  t.strictSame((await readAll(stream, 'calls')).sort(), keys.sort(), 'each once')
})

t.test('what a member pulled ahead goes to others when it pulls no more', { skip }, async (t) => {
  const streams = new Streams(t)
  const [first, other] = await Promise.all([streams.start(), streams.start()])
  const idle = await first.consume(GROUP)
  const busy = await other.consume(GROUP)
  const pulling = idle.pull({ recordsMax: 100, bytesMax: 1, waitMs: 5_000 })
  for (const key of ['a', 'b', 'c']) await first.append('calls', [record(key)])
  t.equal((await pulling).length, 1)
  t.equal((await pull(busy, 2, 6_000)).length, 2)
})

t.test('a consumer that somebody removed is made anew', { skip }, async (t) => {
  const streams = new Streams(t)
  const stream = await streams.start(SHORT)
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record('a'), record('b')])
  const [a] = (await pull(consumer, 2)) as [Delivery, Delivery]
  t.equal(await a.complete({ journal: [record('a', 'a ended')] }), 'done')
  const nats = await connect({ servers: SERVER })
  await (await nats.jetstreamManager()).consumers.delete(`${streams.prefix}-calls`, GROUP)
  await nats.close()
  const known = new Map<string, string>()
  while (!known.has('c')) {
    if (known.size === 0) await stream.append('calls', [record('c')])
    const next = await pullOne(consumer)
    known.set(textOf(next.record), Buffer.from(await next.begin(next.record)).toString())
    await next.complete()
  }
  if (known.has('a')) t.equal(known.get('a'), 'a ended', 'what was completed is known')
  t.equal(known.get('c'), 'fresh')
})

t.test(
  'progress reaches the end when all calls are completed, though timers stand behind them',
  { skip },
  async (t) => {
    const stream = await new Streams(t).start()
    const consumer = await stream.consume(GROUP)
    await stream.append('calls', [record('a'), record('b')])
    const [a, b] = (await pull(consumer, 2)) as [Delivery, Delivery]
    await b.complete({ timers: [{ ...record('timer'), dueMs: Date.now() + 60_000 }] })
    const [before] = await consumer.progress()
    t.match(before, { committed: 1, end: 4, inFlight: 1 })
    await a.complete()
    const [after] = await consumer.progress()
    t.match(after, { committed: 4, end: 4, inFlight: 0 })
  },
)
