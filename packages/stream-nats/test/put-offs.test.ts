import type { Delivery } from '@posthaste/stream'
import { connect, headers } from 'nats'
import t from 'tap'
import { NatsStorage, NO_SERVER, SERVER } from './nats-harness.js'
import { connectWith, excess, GROUP, pull, pullOne, readAll, record, Streams, textOf } from './work.js'

const skip = NO_SERVER
const SHORT = { ackWaitMs: 2_000 }
/** Longer than any test: what comes before its end was given back. */
const LONG = { ackWaitMs: 60_000 }
const SIGN_OF_LIFE = '+WPI'
const PURGE = '.STREAM.PURGE.'

t.test('what is put off stays in work, and is delivered again when it is due', { skip }, async (t) => {
  const streams = new Streams(t)
  const stream = await streams.start(SHORT)
  const consumer = await stream.consume(GROUP)
  const other = await (await streams.start(SHORT)).consume(GROUP)
  await stream.append('calls', [record('a')])
  let delivery = await pullOne(consumer)
  // Several times, and for longer than the ack wait.
  for (const forMs of [4_500, 300]) {
    t.equal(await delivery.begin(record('a')), 'fresh')
    const dueMs = Date.now() + forMs
    t.equal(await putOff(delivery, dueMs), 'done')
    t.match(await consumer.progress(), [{ committed: 2, end: 2, inFlight: 0 }], 'it holds nothing up')
    const others = excess(other, forMs)
    delivery = await pullOne(consumer)
    t.ok(Date.now() >= dueMs, 'not early')
    t.match(delivery.record, { key: 'a', offset: 1 })
    t.match(await consumer.progress(), [{ committed: 1, end: 2, inFlight: 1 }])
    t.strictSame(await others, [], 'no other member gets it')
  }
  t.equal(await timersIn(streams.prefix), 0, 'nothing was written for it')
  t.equal(await delivery.begin(record('a')), 'fresh')
  t.equal(await delivery.complete({ journal: [record('a', 'ended')] }), 'done')
  t.match(await consumer.progress(), [{ committed: 2, end: 2, inFlight: 0 }])
  t.strictSame(await excess(consumer, 1_500), [])
})

t.test('what a member put off is delivered to another when it dies', { skip }, async (t) => {
  const storage = new NatsStorage(SHORT)
  const [stream, next] = [storage.open(), storage.open()]
  t.teardown(async () => {
    await next.stop()
    await storage.destroy()
  })
  await Promise.all([stream.start(), next.start()])
  const consumer = await stream.consume(GROUP)
  const other = await next.consume(GROUP)
  await stream.append('calls', [record('a'), record('b')])
  const [a, b] = (await pull(consumer, 2)) as [Delivery, Delivery]
  for (const delivery of [a, b]) t.equal(await putOff(delivery, Date.now() + 50_000), 'done')
  await storage.crash(stream)
  const found = await pull(other, 2)
  t.strictSame(found.map(({ record }) => textOf(record)).sort(), ['a', 'b'])
  for (const delivery of found) t.equal(await delivery.begin(delivery.record), 'fresh')
})

t.test('when a member stops others get at once what it put off', { skip }, async (t) => {
  const streams = new Streams(t)
  const stream = await streams.start(LONG)
  const consumer = await stream.consume(GROUP)
  const other = await (await streams.start(LONG)).consume(GROUP)
  await stream.append('calls', [record('a')])
  t.equal(await putOff(await pullOne(consumer), Date.now() + 50_000), 'done')
  const pulling = pullOne(other)
  await consumer.stop()
  t.equal(await (await pulling).begin(record('a')), 'fresh')
})

t.test('what is lost while it is put off is delivered to one member', { skip }, async (t) => {
  const streams = new Streams(t)
  // It gives no sign of life, and does not know.
  const silent = await streams.start({ ...SHORT, connect: connectWith((_, data) => data !== SIGN_OF_LIFE) })
  const consumer = await silent.consume(GROUP)
  await silent.append('calls', [record('a')])
  const dueMs = Date.now() + 6_000
  t.equal(await putOff(await pullOne(consumer), dueMs), 'done')
  const other = await pullOne(await (await streams.start(SHORT)).consume(GROUP))
  t.ok(Date.now() < dueMs)
  t.strictSame(await excess(consumer, dueMs + 500 - Date.now()), [])
  t.equal(await other.complete({ journal: [record('a', 'ended')] }), 'done')
})

t.test('a member puts off a share of what may be in work, and writes the rest', { skip }, async (t) => {
  const streams = new Streams(t)
  const stream = await streams.start({ ...LONG, maxAckPending: 16 })
  const consumer = await stream.consume(GROUP)
  // Together less than half of what may be in work.
  const keys = ['a', 'b', 'c', 'd', 'e', 'f']
  await stream.append(
    'calls',
    keys.map((key) => record(key)),
  )
  const dueMs = Date.now() + 1_500
  for (const delivery of await pull(consumer, keys.length)) t.equal(await putOff(delivery, dueMs), 'done')
  t.equal(await timersIn(streams.prefix), 2)
  const back = await pull(consumer, keys.length)
  t.ok(Date.now() >= dueMs)
  t.strictSame(back.map(({ record }) => textOf(record)).sort(), keys, 'each comes, once')
})

t.test('while much is in work, what is put off is written', { skip }, async (t) => {
  const streams = new Streams(t)
  const limited = { ...LONG, maxAckPending: 8 }
  // That completed calls cannot be removed makes no difference.
  const stream = await streams.start({ ...limited, connect: connectWith((subject) => !subject.includes(PURGE)) })
  await stream.append(
    'calls',
    ['done', 'a', 'b', 'c', 'd', 'e', 'f'].map((key) => record(key)),
  )
  const others = await (await streams.start(limited)).consume(GROUP)
  t.equal(await (await pullOne(others)).complete(), 'done')
  await pull(others, 5)
  const consumer = await stream.consume(GROUP)
  // The server tells how much it is from time to time.
  while ((await timersIn(streams.prefix)) === 0) await putOff(await pullOne(consumer), Date.now() + 500)
  t.equal(textOf((await pullOne(consumer)).record), 'f', 'it comes all the same')
})

const written = [
  ['to a time that was promised', 1_000, false],
  ['for longer than a minute', 61_000, true],
] as const

for (const [how, forMs, aside] of written) {
  t.test(`what is put off ${how} is written`, { skip }, async (t) => {
    const streams = new Streams(t)
    const stream = await streams.start()
    const consumer = await stream.consume(GROUP)
    await stream.append('calls', [record('a')])
    const delivery = await pullOne(consumer)
    t.equal(await putOff(delivery, Date.now() + forMs, aside), 'done')
    t.equal(await timersIn(streams.prefix), 1)
    t.match(await consumer.progress(), [{ committed: 3, end: 3, inFlight: 0 }])
  })
}

t.test('what is put off and told of is written', { skip }, async (t) => {
  const streams = new Streams(t)
  const stream = await streams.start()
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record('a'), record('b')])
  const told = [{ notes: [record('a', 'noted')] }, { control: [record('b', 'asked')] }]
  for (const [index, delivery] of (await pull(consumer, 2)).entries()) {
    const timers = [{ ...delivery.record, dueMs: Date.now() + 60_000 }]
    t.equal(await delivery.complete({ aside: true, timers, ...told[index] }), 'done')
  }
  t.equal(await timersIn(streams.prefix), 2)
  t.strictSame(await readAll(stream, 'journal'), ['noted'])
  t.strictSame(await readAll(stream, 'control'), ['asked'])
})

t.test('what is put off can be acted on, and knows of it when it comes back', { skip }, async (t) => {
  const streams = new Streams(t)
  const stream = await streams.start()
  const [consumer, other] = [await stream.consume(GROUP), await (await streams.start()).consume(GROUP)]
  await stream.append('calls', [record('a'), record('b')])
  for (const delivery of await pull(consumer, 2)) {
    await delivery.begin(delivery.record)
    t.equal(await putOff(delivery, Date.now() + 1_000), 'done')
  }
  t.equal(await consumer.act(record('a'), { journal: [record('a', 'acted here')] }), 'done')
  t.equal(await other.act(record('b'), { journal: [record('b', 'acted there')] }), 'done')
  const known = (await pull(consumer, 2)).map(async (delivery) => {
    const begun = Buffer.from(await delivery.begin(delivery.record)).toString()
    return [textOf(delivery.record), begun, await delivery.complete()]
  })
  t.strictSame((await Promise.all(known)).sort(), [
    ['a', 'acted here', 'done'],
    ['b', 'acted there', 'done'],
  ])
})

t.test('what comes back is told how its turn has ended meanwhile', { skip }, async (t) => {
  const streams = new Streams(t)
  const stream = await streams.start()
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record('a')])
  const first = await pullOne(consumer)
  t.equal(await first.begin(record('a')), 'fresh')
  t.equal(await putOff(first, Date.now() + 1_000), 'done')
  await publishCopy(streams.prefix)
  const copy = await pullOne(consumer)
  t.equal(await copy.begin(record('a')), 'fresh')
  t.equal(await copy.complete({ journal: [record('a', 'ended')] }), 'done')
  const back = await pullOne(consumer)
  t.strictSame(await back.begin(record('a')), Buffer.from('ended'))
  await back.complete()
})

function putOff(delivery: Delivery, dueMs: number, aside = true): Promise<unknown> {
  return delivery.complete({ aside, timers: [{ ...delivery.record, dueMs }] })
}

/** Timers that wait at the server. */
async function timersIn(prefix: string): Promise<number> {
  const nats = await connect({ servers: SERVER })
  const filter = { subjects_filter: `${prefix}.timers.>` }
  const { state } = await (await nats.jetstreamManager()).streams.info(`${prefix}-calls`, filter)
  await nats.close()
  return Object.keys(state.subjects ?? {}).length
}

/** The record of the turn of `a`, written a second time. */
async function publishCopy(prefix: string): Promise<void> {
  const nats = await connect({ servers: SERVER })
  const marks = headers()
  marks.set('Posthaste-Turn', 'a.1.1')
  await nats.jetstream().publish(`${prefix}.calls`, 'a', { headers: marks })
  await nats.close()
}
