import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer } from '@posthaste/stream'
import t from 'tap'
import { isSchedule, Listener } from '../src/index.js'
import {
  createStorage,
  finalStates,
  listenerOptions,
  readJournal,
  startListener,
  startTarget,
  submit,
  until,
} from './setting.js'

t.test('nothing is called before a trigger', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  t.match(await listener.report(), { cycle: 0, trigger: 'none', running: false, startedAt: null, endedAt: null })
  await submit(stream, [{ target: target.url }])
  await sleep(100)
  t.equal(target.seen.length, 0)
  t.match(await listener.ping('command', 5_000), { cycle: 1, trigger: 'command', drained: true, running: true })
  t.equal(target.seen.length, 1)
})

t.test('a cycle lingers, a trigger extends it, and the next one is another', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t, { lingerMs: 2_000 })
  const first = await listener.ping('ping', 1_000)
  t.match(first, { cycle: 1, drained: true, running: true, endedAt: null })
  await sleep(800)
  await submit(stream, [{ target: target.url }])
  await finalStates(stream, 1)
  t.match(await listener.ping('schedule', 0), { cycle: 1, trigger: 'ping', called: 1 })
  await sleep(1_500)
  t.match(await listener.report(), { cycle: 1, running: true }, 'the second trigger extended it')
  await until(async () => !(await listener.report()).running)
  const ended = await listener.report()
  t.match(ended, { cycle: 1, startedAt: first.startedAt, called: 1, succeeded: 1 })
  t.ok(Date.parse(ended.endedAt as string) - Date.parse(ended.startedAt as string) >= 2_750)

  await submit(stream, [{ target: target.url }])
  await sleep(100)
  t.equal(target.seen.length, 1, 'nobody looks any more')
  t.match(await listener.ping('ping', 5_000), { cycle: 2, trigger: 'ping', called: 1, drained: true, endedAt: null })
})

t.test('however many trigger it, there is one cycle, and one pull at a time', async (t) => {
  const target = await startTarget(t)
  const watched = watchPulls()
  const { listener, stream } = await startListener(t, {}, createStorage(t), watched.pulling)
  await submit(stream, Array(100).fill({ target: target.url }))
  const reports = await Promise.all(Array.from({ length: 50 }, () => listener.ping('ping', 5_000)))
  t.strictSame([...new Set(reports.map(({ cycle }) => cycle))], [1])
  t.ok(reports.every(({ drained }) => drained))
  t.equal(watched.most, 1)
  t.equal(target.seen.length, 100)
})

t.test('a ping is answered when what was there is completed, or when its time is over', async (t) => {
  const target = await startTarget(t, (_, response) => setTimeout(() => response.end(), 2_000))
  const { listener, stream } = await startListener(t)
  await submit(stream, [{ target: target.url }])
  const startedMs = performance.now()
  t.match(await listener.ping('ping', 50), { drained: false, running: true, called: 0 })
  const earlyMs = performance.now() - startedMs
  t.ok(earlyMs >= 50 && earlyMs < 2_000, `${earlyMs} ms`)
  t.match(await listener.ping('ping', 5_000), { drained: true, called: 1, partitions: [{ committed: 1, end: 1 }] })
  const lateMs = performance.now() - startedMs
  t.ok(lateMs >= 1_990, `${lateMs} ms`)
})

t.test('what comes after a ping does not keep it waiting', async (t) => {
  const target = await startTarget(t, (_, response) => setTimeout(() => response.end(), 20))
  const { listener, stream } = await startListener(t)
  const more = setInterval(() => void submit(stream, [{ target: target.url }]), 5)
  t.teardown(() => clearInterval(more))
  await sleep(50)
  for (let ping = 0; ping < 3; ping += 1) t.match(await listener.ping('ping', 5_000), { drained: true })
  clearInterval(more)
})

t.test('what is due at a ping is called before its answer', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t, { lingerMs: 0 })
  await submit(stream, [{ target: target.url, delay: '1s' }])
  t.match(await listener.ping('ping', 5_000), { drained: true, deferred: 1, called: 0 })
  await until(async () => !(await listener.report()).running)
  await sleep(1_050)
  t.equal(target.seen.length, 0, 'nothing comes due while nobody listens')
  t.match(await listener.ping('ping', 5_000), { drained: true, called: 1, succeeded: 1, cycle: 2 })
})

t.test('without lingering a cycle drains all there is, in batches', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t, { lingerMs: 0, batchRecords: 7 })
  await submit(stream, Array(100).fill({ target: target.url }))
  t.match(await listener.ping('command', 10_000), { drained: true, pulled: 100, called: 100, succeeded: 100, lost: 0 })
  await until(async () => !(await listener.report()).running, 1_000)
})

t.test('the report counts each record once, as what became of it', async (t) => {
  const target = await startTarget(t, ({ url }, response) => response.writeHead(Number(url.slice(1))).end())
  const { listener, stream } = await startListener(t)
  const nowMs = Date.now()
  await submit(stream, [
    { target: `${target.url}/200` },
    { target: `${target.url}/200`, delay: '1h' },
    { target: `${target.url}/400` },
    { target: `${target.url}/500`, retry: { maxAttempts: 2, initialDelay: '1h', maxDelay: '1h', jitter: 'none' } },
    { target: `${target.url}/200`, forwardTo: `${target.url}/200` },
  ])
  await submit(stream, [{ target: target.url }], { acceptedAtMs: nowMs - 9, expiresAtMs: nowMs - 1 })
  await listener.ping('ping', 0)
  await finalStates(stream, 5)
  const report = await listener.ping('ping', 5_000)
  t.match(report, {
    pulled: 7,
    called: 5,
    succeeded: 3,
    failed: 1,
    retrying: 1,
    deferred: 1,
    expired: 1,
    spilled: 0,
    repeated: 0,
    checkedOut: 0,
    lost: 0,
    blocked: null,
    partitions: [{ partition: 0, committed: 7, end: 7, inFlight: 0, owner: 'this', member: 'test' }],
  })
  t.same(JSON.parse(JSON.stringify(report)), report, 'it is JSON')
})

t.test('a stream that cannot be read is said, and read again later', async (t) => {
  const target = await startTarget(t)
  const watched = watchPulls()
  watched.failures = 2
  const { listener, stream } = await startListener(t, {}, createStorage(t), watched.pulling)
  await submit(stream, [{ target: target.url }])
  t.match(await listener.ping('ping', 200), { drained: false, blocked: 'The stream cannot be read.', running: true })
  await finalStates(stream, 1)
  t.equal(listener.blocked, undefined)
})

t.test('a stopped listener starts no cycle', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  await listener.stop(0)
  await submit(stream, [{ target: target.url }])
  t.match(await listener.ping('ping', 1_000), { drained: false, running: false })
  t.equal((await readJournal(stream)).length, 0)
})

t.test('a schedule triggers at once and then at its times', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t, { schedule: '* * * * * *', lingerMs: 0 })
  t.match(await listener.report(), { cycle: 1, trigger: 'schedule' })
  await until(async () => !(await listener.report()).running)
  await submit(stream, [{ target: target.url }])
  await finalStates(stream, 1)
  t.ok((await listener.report()).cycle >= 2)
  await listener.stop(0)
  const { cycle } = await listener.report()
  await sleep(1_100)
  t.equal((await listener.report()).cycle, cycle)
})

t.test('a schedule that is longer than the linger leaves pauses, one that is shorter none', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t, { schedule: '* * * * * *', lingerMs: 1_500 })
  await sleep(1_200)
  const startedMs = performance.now()
  await submit(stream, [{ target: target.url }])
  await finalStates(stream, 1)
  t.ok(performance.now() - startedMs < 5_000, `${performance.now() - startedMs} ms`)
  t.match(await listener.report(), { cycle: 1 })
})

t.test('an expression that cannot be read is refused', async (t) => {
  const { consumer, stream } = await startListener(t)
  const options = listenerOptions(consumer, stream)
  const bad = ['', ' ', 'off', '*', '* * * *', '60 * * * *', '* * * * * * *', 'a b c d e', '*/0 * * * *']
  for (const expression of bad) {
    t.notOk(isSchedule(expression), `"${expression}"`)
    t.throws(() => new Listener({ ...options, schedule: expression }), {
      code: 'invalid-configuration',
    })
  }
  for (const expression of ['* * * * *', '*/5 * * * * *', '0 30 8 * * mon-fri', '0 0 1 jan,jul *'])
    t.ok(isSchedule(expression), expression)
})

interface Watched {
  most: number
  failures: number
  readonly pulling: (consumer: Consumer) => Consumer
}

/** Sees to it that pulls are counted, and that the first few fail. */
function watchPulls(): Watched {
  let now = 0
  const watched: Watched = {
    most: 0,
    failures: 0,
    pulling: (consumer) => ({
      act: (turn, effects) => consumer.act(turn, effects),
      progress: () => consumer.progress(),
      stop: () => consumer.stop(),
      async pull(options) {
        now += 1
        watched.most = Math.max(watched.most, now)
        try {
          watched.failures -= 1
          if (watched.failures >= 0) throw new Error('no pull')
          return await consumer.pull(options)
        } finally {
          now -= 1
        }
      },
    }),
  }
  return watched
}
