import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isFinalState } from '@posthaste/core'
import type { Delivery } from '@posthaste/stream'
import t from 'tap'
import { guardedConnector } from '../src/connector.js'
import { Targets } from '../src/targets.js'
import { startBlackHole } from './black-hole.js'
import {
  changing,
  createStorage,
  finalStates,
  LOOPBACK,
  plain,
  readJournal,
  startListener,
  startTarget,
  submit,
  until,
} from './setting.js'

t.test('a stop lets calls end that end in time, and starts no more', async (t) => {
  const target = await startTarget(t, (_, response) => setTimeout(() => response.end(), 300))
  const storage = createStorage(t)
  const { consumer, listener, stream } = await startListener(t, { concurrencyPerTarget: 2 }, storage)
  await submit(stream, Array(6).fill({ target: target.url }))
  await listener.ping('ping', 0)
  await until(() => target.open() === 2)
  const startedMs = performance.now()
  const stopped = listener.stop(5_000)
  t.equal(listener.stop(0), stopped, 'stopping twice is stopping once')
  await stopped
  t.ok(performance.now() - startedMs < 4_000, 'not longer than the calls take')
  t.equal(target.seen.length, 2)
  t.strictSame(
    (await readJournal(stream)).map(({ state }) => state),
    ['succeeded', 'succeeded'],
  )
  await consumer.stop()

  const next = await startListener(t, {}, storage)
  t.match(await next.listener.ping('ping', 5_000), { drained: true, succeeded: 4 })
  t.equal(new Set(target.seen.map(({ headers }) => headers['posthaste-id'])).size, 6)
  t.equal(target.seen.length, 6, 'none was called twice')
})

t.test('what has not ended by then is given up, and made again by the next', async (t) => {
  let answers = false
  const target = await startTarget(t, (_, response) => void (answers && response.end()))
  const storage = createStorage(t)
  const { consumer, listener, stream } = await startListener(t, {}, storage)
  await submit(stream, Array(3).fill({ target: target.url, timeout: '1m' }))
  await listener.ping('ping', 0)
  await until(() => target.open() === 2)
  const startedMs = performance.now()
  await listener.stop(200)
  const tookMs = performance.now() - startedMs
  t.ok(tookMs >= 195 && tookMs < 10_000, `${tookMs} ms`)
  await until(() => target.open() === 0 && target.sockets.size === 0)
  t.equal((await readJournal(stream)).length, 0)
  await consumer.stop()

  answers = true
  const next = await startListener(t, {}, storage)
  t.match(await next.listener.ping('ping', 5_000), { drained: true, succeeded: 3 })
  t.equal(target.seen.length, 5)
  t.ok(target.seen.every(({ headers }) => headers['posthaste-attempt'] === '1'))
})

t.test('a stop without a start, or of nothing, is quick', async (t) => {
  const { listener } = await startListener(t, { schedule: '* * * * * *' })
  const startedMs = performance.now()
  await listener.stop(10_000)
  t.ok(performance.now() - startedMs < 5_000)
})

t.test('a stop closes the connections', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  await submit(stream, Array(20).fill({ target: target.url }))
  await listener.ping('ping', 5_000)
  t.ok(target.sockets.size > 0, 'they are kept for the next call')
  await listener.stop(0)
  await until(() => target.sockets.size === 0)
})

t.test('connections that nobody used for long are closed', async (t) => {
  const server = await startTarget(t)
  const connectorOf = () => guardedConnector({ egress: LOOPBACK })
  const targets = new Targets<never>(10, { places: 10, failures: 10, rate: 0, burst: 1, connectorOf })
  t.teardown(() => targets.close())
  const { body } = await targets.of(server.url, 0).poolOf(server.url).request({ path: '/', method: 'GET' })
  await body.dump()
  targets.sweep(29_000)
  await sleep(50)
  t.equal(server.sockets.size, 1)
  targets.sweep(31_000)
  await until(() => server.sockets.size === 0)
})

t.test('the process ends by itself once its listener has stopped', async (t) => {
  const target = await startTarget(t)
  const script = fileURLToPath(new URL('./one-call.js', import.meta.url))
  const child = spawn(process.execPath, [script, target.url], { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(60_000) })
  t.equal(code, 0)
  t.equal(target.seen.length, 1)
})

t.test('what another member owns by now is neither completed nor gone on with', async (t) => {
  const storage = createStorage(t)
  const answers: (() => void)[] = []
  const target = await startTarget(t, (_, response) => void answers.push(() => response.end()))
  const old = await startListener(t, {}, storage)
  await submit(old.stream, Array(2).fill({ target: target.url, timeout: '1m' }))
  await old.listener.ping('ping', 0)
  await until(() => answers.length === 2)

  await storage.depose()
  const next = await startListener(t, {}, storage)
  await next.listener.ping('ping', 0)
  await until(() => answers.length === 4)
  answers[0]?.()
  await until(async () => (await old.listener.report()).lost > 0)
  t.equal((await readJournal(old.stream)).length, 0, 'the old owner writes nothing')
  await until(() => target.open() === 2, 5_000)
  t.match(await old.listener.report(), { succeeded: 0, partitions: [{ owner: 'other' }] })

  answers[2]?.()
  answers[3]?.()
  const finals = await finalStates(next.stream, 2)
  t.equal(new Set(finals.map(({ id }) => id)).size, 2)
  t.match(await next.listener.report(), { succeeded: 2, lost: 0 })
  t.equal(target.seen.length, 4)
})

t.test('a member that stands by calls nothing, and says who does', async (t) => {
  const storage = createStorage(t)
  const answers: (() => void)[] = []
  const target = await startTarget(t, (_, response) => void answers.push(() => response.end()))
  const owner = await startListener(t, {}, storage)
  await submit(owner.stream, [{ target: target.url }])
  await owner.listener.ping('ping', 0)
  await until(() => answers.length === 1)
  const other = await startListener(t, {}, storage)
  const standingBy = {
    blocked: 'Another listener is at work: test.',
    pulled: 0,
    partitions: [{ owner: 'other', member: 'test' }],
  }
  t.match(await other.listener.ping('ping', 100), { drained: false, ...standingBy })
  t.equal(other.listener.blocked, undefined, 'nothing is wrong with it')
  const pinged = other.listener.ping('ping', 10_000)
  answers[0]?.()
  t.match(await pinged, { drained: true, ...standingBy }, 'it is done, whoever did it')
  t.equal(target.seen.length, 1)
})

t.test('a call whose record is leaving is checked out, however short it has run', async (t) => {
  const answers: (() => void)[] = []
  const target = await startTarget(t, (_, response) => void answers.push(() => response.end()))
  const leaving = new Set<string>()
  const leave = (delivery: Delivery): Delivery => ({
    ...plain(delivery),
    get leaving() {
      return leaving.has(delivery.record.key)
    },
  })
  const { listener, stream } = await startListener(t, {}, undefined, (consumer) => changing(consumer, leave))
  const [first, second] = await submit(stream, Array(2).fill({ target: target.url }))
  const startedMs = performance.now()
  await listener.ping('ping', 0)
  await until(() => answers.length === 2)

  leaving.add(first?.id as string)
  await until(async () => (await listener.report()).partitions[0]?.inFlight === 1)
  t.match(await listener.report(), { checkedOut: 1, called: 0, partitions: [{ inFlight: 1 }] })
  leaving.add(second?.id as string)
  await until(async () => (await listener.report()).partitions[0]?.committed === 2)
  t.ok(performance.now() - startedMs < 5_000, 'long before it would be for its length')
  t.match(await listener.report(), { checkedOut: 2, called: 0, lost: 0 })

  for (const answer of answers) answer()
  const finals = await finalStates(stream, 2)
  t.strictSame(
    finals.map(({ state, attempt }) => [state, attempt]),
    [
      ['succeeded', 1],
      ['succeeded', 1],
    ],
  )
  t.equal(target.seen.length, 2, 'neither was made again')
})

t.test('a long call holds nothing up, ends as it ends, and is handed back by a stop', async (t) => {
  const target = await startTarget(
    t,
    ({ url }, response) => void (url === '/long' && setTimeout(() => response.end(), 11_000)),
  )
  const quick = await startTarget(t)
  const storage = createStorage(t)
  const { consumer, listener, stream } = await startListener(t, {}, storage)
  await submit(stream, [
    { target: `${target.url}/long`, timeout: '1m' },
    { target: `${target.url}/longer`, timeout: '1m' },
    { target: await startBlackHole(t), timeout: '1m' },
    { target: quick.url },
  ])
  await listener.ping('ping', 0)
  await finalStates(stream, 1)
  t.match(await consumer.progress(), [{ committed: 0, end: 4, inFlight: 3 }])

  await until(async () => (await consumer.progress())[0]?.committed === 4, 12_000)
  t.ok((await listener.report()).checkedOut >= 2)
  const finals = await finalStates(stream, 3)
  t.strictSame(
    finals.map(({ state, failure }) => [state, failure?.code]),
    [
      ['succeeded', undefined],
      ['failed', 'connect-timeout'],
      ['succeeded', undefined],
    ],
  )
  t.match(await listener.ping('ping', 1_000), { drained: true, succeeded: 2, failed: 1, pulled: 4 })

  await listener.stop(0)
  await consumer.stop()
  const next = await startListener(t, {}, storage)
  await next.listener.ping('ping', 0)
  await until(() => target.seen.length === 3, 1_000)
  t.match(target.seen[2], { url: '/longer', headers: { 'posthaste-attempt': '1' } })
  const states = (await readJournal(stream)).map(({ state }) => state)
  t.equal(states.filter(isFinalState).length, 3)
  t.ok(states.filter((state) => state === 'running').length >= 2, 'notes tell of those that went on')
})
