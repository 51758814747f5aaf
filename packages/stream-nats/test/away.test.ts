import { setTimeout as sleep } from 'node:timers/promises'
import type { Delivery } from '@posthaste/stream'
import t from 'tap'
import { NatsStream } from '../src/nats-stream.js'
import { createPrefix, optionsFor } from './nats-harness.js'
import { NO_OWN_SERVER, startServer } from './own-server.js'
import { excess, GROUP, pull, pullOne, readAll, record, textOf } from './work.js'

t.test(
  'while the server is away appends are refused at once, and all goes on when it is back',
  {
    skip: NO_OWN_SERVER,
  },
  async (t) => {
    const server = await startServer(t)
    const stream = new NatsStream(optionsFor(createPrefix(), { servers: server.url, ackWaitMs: 30_000 }))
    await stream.start()
    t.teardown(() => stream.stop())
    const consumer = await stream.consume(GROUP)
    await stream.append('calls', [record('a'), record('b')])
    const [a, b] = (await pull(consumer, 2)) as [Delivery, Delivery]
    t.equal(await a.complete({ journal: [record('a', 'a ended')] }), 'done')
    const waiting = consumer.pull({ recordsMax: 10, bytesMax: 2 ** 30, waitMs: 30_000 })

    await server.kill()
    while ((await stream.health()).ready) await sleep(5)
    const startedMs = performance.now()
    await t.rejects(stream.append('calls', [record('c')]), { code: 'stream-unavailable' })
    t.ok(performance.now() - startedMs < 2_000)
    const watchdog = { ...record('b'), dueMs: Date.now() }
    t.equal(await b.checkOut(watchdog, [record('b', 'lost note')]), 'done', 'a call goes on without its note')
    const acting = consumer.act(record('c'), { journal: [record('c', 'c acted')] })
    const completing = b.complete({ journal: [record('b', 'b ended')], children: [record('child')] })
    t.equal(await Promise.race([completing, sleep(500, 'not yet')]), 'not yet')

    await server.start()
    t.equal(await completing, 'done', 'what was completed meanwhile is written')
    t.equal(await acting, 'done')
    const found = new Map<string, string>()
    const work = async (deliveries: readonly Delivery[]): Promise<void> => {
      for (const delivery of deliveries) {
        found.set(textOf(delivery.record), Buffer.from(await delivery.begin(delivery.record)).toString())
        await delivery.complete({ again: true })
      }
    }
    await work(await waiting)
    t.ok(found.size > 0, 'a pull that waited goes on')
    await stream.append('calls', [record('d')])
    while (!found.has('child') || !found.has('d')) await work([await pullOne(consumer)])
    // A server that was killed forgets its last deliveries and acknowledgements. The journal knows.
    if (found.has('a')) t.equal(found.get('a'), 'a ended')
    if (found.has('b')) t.equal(found.get('b'), 'b ended')
    t.match(Object.fromEntries(found), { child: 'fresh', d: 'fresh' })
    t.strictSame((await readAll(stream, 'journal')).sort(), ['a ended', 'b ended', 'c acted'])
    t.strictSame(await excess(consumer, 300), [])
  },
)

t.test('what is on the way when the connection breaks is refused', { skip: NO_OWN_SERVER }, async (t) => {
  const server = await startServer(t)
  const stream = new NatsStream(optionsFor(createPrefix(), { servers: server.url }))
  await stream.start()
  t.teardown(() => stream.stop())
  server.pause()
  const rejected = t.rejects(stream.append('calls', [record('a')]), { code: 'stream-unavailable' })
  await sleep(100)
  await server.kill()
  await rejected
})

t.test('a server that does not answer is given up in time', { skip: NO_OWN_SERVER }, async (t) => {
  const server = await startServer(t)
  const stream = new NatsStream(optionsFor(createPrefix(), { servers: server.url }))
  await stream.start()
  t.teardown(() => stream.stop())
  server.pause()
  await sleep(100)
  const startedMs = performance.now()
  await t.rejects(stream.append('calls', [record('a')]), { code: 'stream-unavailable' })
  t.ok(performance.now() - startedMs < 6_500)
  t.equal((await stream.health()).ready, false)
  const knownMs = performance.now()
  await t.rejects(stream.append('calls', [record('a')]), { code: 'stream-unavailable' })
  t.ok(performance.now() - knownMs < 100, 'whoever comes next need not wait')
  server.resume()
  while (
    await stream.append('calls', [record('b')]).then(
      () => false,
      () => true,
    )
  )
    await sleep(50)
})

t.test('a stop does not wait for a server that is away', { skip: NO_OWN_SERVER }, async (t) => {
  const server = await startServer(t)
  const stream = new NatsStream(optionsFor(createPrefix(), { servers: server.url }))
  await stream.start()
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record('a')])
  const delivery = await pullOne(consumer)
  await server.kill()
  while ((await stream.health()).ready) await sleep(5)
  const completing = delivery.complete({ journal: [record('a', 'ended')] })
  const acting = consumer.act(record('b'), { timers: [{ ...record('b'), dueMs: Date.now() }] })
  const startedMs = performance.now()
  await stream.stop()
  t.equal(await completing, 'lost')
  t.equal(await acting, 'elsewhere')
  t.ok(performance.now() - startedMs < 6_500)
})
