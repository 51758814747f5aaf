import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Delivery, Progress } from '@posthaste/stream'
import t from 'tap'
import { EmbeddedStream } from '../src/embedded-stream.js'
import { Timers } from '../src/timers.js'
import { optionsFor } from './embedded-harness.js'
import { openStream, pull, record } from './open-stream.js'

const KIB = 1024
const MIB = 1024 * KIB

t.test('the data file does not grow with what flows through', async (t) => {
  const { directory, stream, consumer } = await openStream(t)
  const records = 25_000
  const lot = Array.from({ length: 250 }, (_, index) => ({ key: `key-${index}`, value: Buffer.alloc(KIB, index) }))
  const flow = async (): Promise<number> => {
    let appended = 0
    let completed = 0
    while (completed < records) {
      if (appended < records) {
        await stream.append('calls', lot)
        appended += lot.length
      }
      const deliveries = await pull(consumer, 1_000)
      completed += (await Promise.all(deliveries.map((delivery) => delivery.complete()))).length
    }
    return statSync(join(directory, 'posthaste.lmdb')).size
  }
  const first = await flow()
  for (let lots = 0; lots < 2; lots += 1) {
    // Completed calls stay for five seconds.
    await sleep(5_500)
    const size = await flow()
    t.ok(size < 1.25 * first, `${(size / MIB).toFixed(1)} MiB, ${(first / MIB).toFixed(1)} MiB at first`)
  }
})

t.test('timers that are overdue come in the order of their time, and those of one time as they were put', async (t) => {
  const { stream, consumer } = await openStream(t)
  await stream.append('calls', [record('cause'), record('cause')])
  const causes = await pull(consumer, 2)
  const dues = [5, 3, 9, 3, 1, 5]
  for (const [half, cause] of causes.entries()) {
    await cause.complete({ timers: dues.map((dueMs, index) => ({ ...record(`${dueMs} ${half}${index}`), dueMs })) })
  }
  const found = (await pull(consumer, 100)).map(({ record }) => Buffer.from(record.value).toString())
  t.equal(found.length, 12)
  t.strictSame(found, found.toSorted())
})

t.test('very many overdue timers come in portions, and progress says that there are more', async (t) => {
  const { stream, consumer } = await openStream(t)
  await stream.append('calls', [record('cause')])
  const [cause] = (await pull(consumer, 1)) as [Delivery]
  const count = 10_000
  const dueMs = Date.now()
  const timers = Array.from({ length: count }, () => ({ key: 'timer', value: Buffer.alloc(200), dueMs }))
  await cause.complete({ timers })
  t.equal((await pull(consumer, 1)).length, 1)
  let [progress] = (await consumer.progress()) as [Progress]
  t.ok(progress.end - 1 >= 2_000 && progress.end - 1 < count / 2, `${progress.end - 1} at first`)
  t.equal(progress.overdue, true)
  for (let pulls = 0; progress.overdue; pulls += 1) {
    t.ok(pulls < 10)
    t.equal((await pull(consumer, 1, 0)).length, 1)
    progress = (await consumer.progress())[0] as Progress
  }
  t.equal(progress.end, 1 + count)
})

t.test('whoever stands by is told of timers that are due too', async (t) => {
  const { environment, stream, consumer } = await openStream(t)
  const other = new EmbeddedStream(optionsFor(environment))
  await other.start()
  t.teardown(() => other.stop())
  const standby = await other.consume('group')
  await stream.append('calls', [record('cause')])
  const [cause] = (await pull(consumer, 1)) as [Delivery]
  const dueMs = Date.now() + 200
  await cause.complete({ timers: [{ ...record('timer'), dueMs }] })
  t.match(await standby.progress(), [{ owner: 'other', committed: 1, end: 1, overdue: Date.now() >= dueMs }])
  while (Date.now() < dueMs) await sleep(10)
  t.match(await standby.progress(), [{ owner: 'other', committed: 1, end: 1, overdue: true }])
  t.equal((await pull(consumer, 1)).length, 1)
  t.match(await standby.progress(), [{ owner: 'other', committed: 1, end: 2, overdue: false }])
})

t.test('a watchdog that was put off goes with its call', async (t) => {
  const { environment, stream, consumer } = await openStream(t)
  const timers = new Timers(environment)
  await stream.append('calls', [record('a')])
  const [delivery] = (await pull(consumer, 1)) as [Delivery]
  const dueMs = Date.now() + 20
  await delivery.checkOut({ ...record('watchdog'), dueMs })
  environment.refresh()
  t.equal(timers.firstDueMs(), dueMs)
  while (timers.firstDueMs() <= dueMs) t.strictSame(await pull(consumer, 1, 30), [])
  t.ok(timers.firstDueMs() > Date.now(), 'it is put off')
  await delivery.complete()
  environment.refresh()
  t.equal(timers.firstDueMs(), Number.POSITIVE_INFINITY, 'and gone')
})

t.test('a watchdog that is overdue when it is put does not come due with what else is', async (t) => {
  const { environment, stream, consumer } = await openStream(t)
  await stream.append('calls', [record('cause'), record('busy'), record('long')])
  const [cause, busy, long] = (await pull(consumer, 3)) as [Delivery, Delivery, Delivery]
  await cause.complete({ timers: [{ ...record('timer'), dueMs: 1 }] })
  // While one transaction is written, the check-out and the firing gather in the next.
  const written = busy.complete()
  await new Promise(process.nextTick)
  const checkedOut = long.checkOut({ ...record('watchdog'), dueMs: 2 })
  const found = await pull(consumer, 10)
  t.strictSame(await Promise.all([written, checkedOut]), ['done', 'done'])
  found.push(...(await pull(consumer, 10, 50)))
  t.strictSame(
    found.map(({ record }) => record.key),
    ['timer'],
  )
  t.equal(await long.complete(), 'done')
  environment.refresh()
  t.equal(new Timers(environment).firstDueMs(), Number.POSITIVE_INFINITY)
})

t.test('an append that fails does not spoil the next one', async (t) => {
  const { environment, stream } = await openStream(t)
  const wrong = environment.commit(() => {
    throw new Error('wrong')
  })
  const [own, neighbour] = await Promise.allSettled([stream.append('calls', [record('lost')]), wrong])
  t.match([own.status, neighbour.status], ['rejected', 'rejected'], 'they share a transaction')
  await stream.append('calls', [record('next')])
  const found: string[] = []
  for await (const { records } of stream.follow('calls', 'start', { untilEnd: true })) {
    found.push(...records.map(({ key }) => key))
  }
  t.strictSame(found, ['next'])
})

t.test('what waits to be written is bounded', async (t) => {
  const { stream } = await openStream(t)
  const { recordBytesMax } = stream.supports
  const largest = { key: 'a', value: Buffer.alloc(recordBytesMax) }
  const ends = await Promise.allSettled(Array.from({ length: 6 }, () => stream.append('calls', [largest])))
  const refused = ends.filter((end) => end.status === 'rejected')
  t.ok(refused.length > 0 && refused.length < ends.length, `${refused.length} were refused`)
  t.ok(refused.every(({ reason }) => reason.code === 'overloaded'))
  await stream.append('calls', [record('later')])
})

t.test(
  'on a disk that is full but for the reserve nothing is accepted, and what was accepted is worked off',
  async (t) => {
    const { environment, stream, consumer } = await openStream(t)
    await stream.append('calls', [record('a')])
    const [delivery] = (await pull(consumer, 1)) as [Delivery]
    environment.takeRoom = () => false
    environment.room = () => ({ freeBytes: 1, reserveBytes: 2 })
    await t.rejects(stream.append('calls', [record('b')]), { code: 'stream-full' })
    t.match(await stream.health(), { ready: false, reason: /reserve/ })
    t.equal(await delivery.complete({ journal: [record('ended')] }), 'done')
  },
)
