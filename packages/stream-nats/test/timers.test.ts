import { setTimeout as sleep } from 'node:timers/promises'
import type { Acted, Delivery } from '@posthaste/stream'
import { connect, headers } from 'nats'
import t from 'tap'
import { NatsStream } from '../src/nats-stream.js'
import { createPrefix, NO_SERVER, optionsFor, SERVER } from './nats-harness.js'
import { NO_OWN_SERVER, startServer } from './own-server.js'
import { excess, GROUP, pull, pullOne, record, Streams, textOf } from './work.js'

const skip = NO_SERVER
const COMPLETED = 10_000
const MOVED = 400
const HOUR_MS = 3_600_000
const PATIENCE_MS = 60_000

t.test('a timer that is put twice is one, due when it was put last', { skip }, async (t) => {
  const stream = await new Streams(t).start()
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record('a'), record('b')])
  const [a, b] = await pull(consumer, 2)
  const turn = { generation: 2, attempt: 3 }
  const soonMs = Date.now() + 300
  const laterMs = Date.now() + 1_200.5
  await a?.complete({ timers: [{ ...record('key', 'twice', turn), dueMs: soonMs }] })
  await b?.complete({ timers: [{ ...record('key', 'twice', turn), dueMs: laterMs }] })
  const due = await pullOne(consumer)
  t.ok(Date.now() >= laterMs, 'not early')
  t.match(due.record, { key: 'key', ...turn })
  t.equal(textOf(due.record), 'twice')
  t.strictSame(await excess(consumer, 500), [])
})

t.test('what is moved at the very moment at which it is fired comes all the same', { skip }, async (t) => {
  const stream = await new Streams(t).start()
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record('cause')])
  const keys = Array.from({ length: MOVED }, (_, index) => `key-${index}`)
  // The server fires them ahead of their time, in one go.
  const dueMs = Date.now() + 1_500
  const timers = keys.map((key) => ({ ...record(key, 'old'), dueMs }))
  t.equal(await (await pullOne(consumer)).complete({ timers }), 'done')
  const moving: Promise<Acted>[] = []
  for (const key of keys) {
    moving.push(consumer.act(record(key), { timers: [{ ...record(key, 'moved'), dueMs: dueMs + 1_000 }] }))
    await sleep((dueMs - Date.now()) / (MOVED - moving.length + 1))
  }
  t.strictSame(new Set(await Promise.all(moving)), new Set(['done']))
  const moved = new Set<string>()
  while (moved.size < MOVED) {
    for (const { record } of await pull(consumer, 1)) if (textOf(record) === 'moved') moved.add(record.key)
  }
})

t.test('timers outlive the removal of thousands of completed calls', { skip, timeout: 180_000 }, async (t) => {
  const streams = new Streams(t)
  const stream = await streams.start()
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record('first')])
  const dueMs = Date.now() + 6_000
  const soon = Array.from({ length: 50 }, (_, index) => ({ ...record(`timer-${index}`), dueMs }))
  const later = Array.from({ length: 50 }, (_, index) => ({ ...record(`later-${index}`), dueMs: dueMs + HOUR_MS }))
  await (await pullOne(consumer)).complete({ timers: [...soon, ...later] })
  const appending = Promise.all(
    Array.from({ length: COMPLETED }, (_, index) => stream.append('calls', [record(`${index}`)])),
  )
  // They may come due before all is removed, if that takes long.
  const due: Delivery[] = []
  let completed = 0
  while (completed < COMPLETED) {
    const deliveries = await pull(consumer, Math.min(500, COMPLETED - completed), PATIENCE_MS)
    const calls = deliveries.filter(({ record }) => !record.key.startsWith('timer'))
    due.push(...deliveries.filter((delivery) => !calls.includes(delivery)))
    await Promise.all(calls.map((delivery) => delivery.complete()))
    completed += calls.length
  }
  await appending
  const nats = await connect({ servers: SERVER })
  const manager = await nats.jetstreamManager()
  const waiting = async (): Promise<number> => (await manager.streams.info(`${streams.prefix}-calls`)).state.messages
  while ((await waiting()) > soon.length + later.length) await sleep(50)
  t.equal(await waiting(), soon.length + later.length, 'the calls are gone, and nothing else')
  await nats.close()
  due.push(...(await pull(consumer, soon.length - due.length, PATIENCE_MS)))
  t.ok(Date.now() >= dueMs)
  t.strictSame(due.map(({ record }) => textOf(record)).sort(), soon.map(textOf).sort())
})

t.test('a timer that came early by our clock is held until its time', { skip }, async (t) => {
  const streams = new Streams(t)
  const consumer = await (await streams.start()).consume(GROUP)
  const nats = await connect({ servers: SERVER })
  const publish = async (key: string, dueMs: number): Promise<void> => {
    const marks = headers()
    marks.set('Posthaste-Turn', `${key}.1.2`)
    marks.set('Posthaste-Due', String(dueMs))
    await nats.jetstream().publish(`${streams.prefix}.calls`, key, { headers: marks })
  }
  const dueMs = Date.now() + 700
  await publish('early', dueMs)
  await publish('much-too-early', Date.now() + 10_000)
  await nats.close()
  t.equal(textOf((await pullOne(consumer)).record), 'much-too-early', 'to be put off again by the listener')
  const { record } = await pullOne(consumer)
  t.ok(Date.now() >= dueMs, 'not early')
  t.match(record, { key: 'early', attempt: 2 })
})

t.test('timers outlive a server that is killed', { skip: NO_OWN_SERVER }, async (t) => {
  const server = await startServer(t)
  const stream = new NatsStream(optionsFor(createPrefix(), { servers: server.url }))
  await stream.start()
  t.teardown(() => stream.stop())
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record('first')])
  const dueMs = Date.now() + 2_000
  const timers = [
    { ...record('while-away'), dueMs: Date.now() + 100 },
    { ...record('later'), dueMs },
  ]
  t.equal(await (await pullOne(consumer)).complete({ timers, journal: [record('first')] }), 'done')
  await server.kill()
  await sleep(300)
  await server.start()
  const found = new Set<string>()
  while (!found.has('later')) {
    const due = await pullOne(consumer)
    const text = textOf(due.record)
    if (text === 'later') t.ok(Date.now() >= dueMs, 'not early')
    // The server may have forgotten that the first one is completed.
    if ((await due.begin(due.record)) === 'fresh') found.add(text)
    await due.complete()
  }
  t.strictSame([...found], ['while-away', 'later'])
})
