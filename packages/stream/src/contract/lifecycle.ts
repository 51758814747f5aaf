import type { Delivery } from '../consumer.js'
import type { LogName } from '../record.js'
import type { FollowOptions, Stream } from '../stream.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import {
  about,
  BYTES_MAX,
  endOf,
  failure,
  GROUP,
  LOGS,
  readAll,
  reasonOf,
  record,
  Setting,
  textsOf,
  timed,
  turnOf,
} from './setting.js'

/** Far longer than any test: what waits that long ends because it was told to. */
const LONG_MS = 60_000
/** What a time in whole milliseconds leaves out. */
const FRACTION_MS = 1

export function lifecycleContract(t: ContractTest, harness: StreamHarness): void {
  t.test('starting and stopping may be repeated', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = setting.open()
    await Promise.all([stream.start(), stream.start()])
    await stream.start()
    await stream.append('calls', [record('a')])
    await Promise.all([stream.stop(), stream.stop()])
    await stream.stop()
    t.strictSame(textsOf(await setting.read('calls')), ['a'])
  })

  t.test('a stream that was not started refuses to work and can be stopped', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = setting.open()
    await t.rejects(stream.append('calls', [record('a')]), failure('stream-unavailable'))
    await t.rejects(stream.consume(GROUP), failure('stream-unavailable'))
    await t.rejects(readAll(stream, 'calls'), failure('stream-unavailable'))
    await stream.stop()
    await stream.stop()
  })

  t.test('health says whether an append can be expected to succeed', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = setting.open()
    t.ok(reasonOf(await stream.health()), 'not before the start, and says why')
    await stream.start()
    t.strictSame(await stream.health(), { ready: true })
    await stream.stop()
    t.ok(reasonOf(await stream.health()), 'not after the stop, and says why')
  })

  t.test('the clock of this process and its skew tell when the stream took a record', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const skew = await stream.clockSkew()
    t.equal(skew !== undefined, stream.supports.machines, 'there is one where there are machines')
    if (!skew) return
    const beforeMs = Date.now()
    await stream.append('calls', [record('a')])
    const afterMs = Date.now()
    const [found] = await setting.read('calls')
    const takenMs = (found?.appendedAtMs ?? 0) + skew.aheadMs
    const within = skew.uncertaintyMs + FRACTION_MS
    t.ok(beforeMs - within <= takenMs && takenMs <= afterMs + within, `${beforeMs} ${takenMs} ${afterMs} ±${within}`)
  })

  t.test('what is stopped does nothing more', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    await stream.append('calls', [record('a')])
    const [delivery] = await setting.pull(consumer, 1)

    const running = new Set(['append', 'pull', 'follow', 'beats'])
    const ends = [
      stream.append('calls', [record('b')]).finally(() => running.delete('append')),
      consumer.pull({ recordsMax: 1, bytesMax: BYTES_MAX, waitMs: LONG_MS }).finally(() => running.delete('pull')),
      followOn(stream).finally(() => running.delete('follow')),
      followOn(stream, { beats: true }).finally(() => running.delete('beats')),
    ]
    await stream.stop()
    t.strictSame([...running], [], 'all ended before stop resolved')
    await Promise.allSettled(ends)

    await t.rejects(stream.append('calls', [record('c')]), failure('stopping'))
    await t.rejects(stream.consume(GROUP), failure('stopping'))
    await t.rejects(readAll(stream, 'calls'), failure('stopping'))
    t.strictSame(await consumer.pull({ recordsMax: 1, bytesMax: BYTES_MAX, waitMs: LONG_MS }), [])
    t.equal(await delivery?.complete({ journal: [record('late')] }), 'lost')
    t.equal(delivery?.held(), false)
    const turn = turnOf(record('a'))
    t.equal(await consumer.act(turn, { journal: [about(turn, 'late')] }), 'elsewhere')
    t.strictSame(await setting.read('journal'), [], 'nothing was written after the stop')
  })

  t.test('a stop waits for what is being appended', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const running = new Set<string>()
    const ends = LOGS.map((log) => {
      running.add(log)
      return stream.append(log, [record(log)]).finally(() => running.delete(log))
    })
    await stream.stop()
    t.strictSame([...running], [], 'all ended before stop resolved')
    for (const [index, end] of (await Promise.allSettled(ends)).entries()) {
      const log = LOGS[index] as LogName
      if (end.status === 'fulfilled') t.strictSame(textsOf(await setting.read(log)), [log], 'it says so and is there')
      else t.match(end.reason, failure('stopping'))
    }
  })

  t.test('a consumer stops by itself', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    await stream.append('calls', [record('a'), record('b')])
    const deliveries = await setting.pull(consumer, 2)
    const first = deliveries[0] as Delivery
    const written = first.complete({ journal: [endOf(first)] })
    await Promise.all([consumer.stop(), consumer.stop()])
    await consumer.stop()
    t.equal(await written, 'done', 'what was completed before is written')
    t.strictSame(await consumer.pull({ recordsMax: 1, bytesMax: BYTES_MAX, waitMs: LONG_MS }), [])
    t.equal(await deliveries[1]?.complete({ journal: [record('late')] }), 'lost')

    const next = await stream.consume(GROUP)
    const again = await setting.pull(next, 1)
    t.strictSame(textsOf(again), textsOf(deliveries.slice(1)), 'what was not completed is delivered again')
    t.strictSame(await setting.pullExcess(next), [])
    t.strictSame(textsOf(await setting.read('journal')), ['ended'], 'it is recorded once')
  })

  t.test('a consumer that is stopped while it joins owns nothing', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    await stream.append('calls', [record('a')])
    const consumer = await stream.consume(GROUP)
    const pulled = consumer.pull({ recordsMax: 1, bytesMax: BYTES_MAX, waitMs: LONG_MS })
    await consumer.stop()
    const [found, tookMs] = await timed(pulled)
    t.ok(tookMs < setting.slowMsMax, 'its pull ended')
    t.equal(await found[0]?.complete(), found[0] && 'lost')
    const other = await setting.start()
    t.strictSame(textsOf(await setting.pull(await other.consume(GROUP), 1)), ['a'], 'another can join')
  })
}

async function followOn(stream: Stream, options: FollowOptions = {}): Promise<void> {
  for await (const _ of stream.follow('journal', 'start', options));
}
