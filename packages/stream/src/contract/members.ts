import type { Consumer, Delivery, Progress } from '../consumer.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import {
  BYTES_MAX,
  completeAll,
  endOf,
  GROUP,
  progressOf,
  record,
  recordsOfOneKey,
  Setting,
  sortedTextsOf,
  textsOf,
  turnOf,
  watchdogAt,
} from './setting.js'

const KEYS = 200

export function membersContract(t: ContractTest, harness: StreamHarness): void {
  t.test('progress tells who owns what', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const first = await stream.consume(GROUP, { member: 'the first' })
    await stream.append('calls', [record('one-key', 'a'), record('one-key', 'b')])
    const [delivery] = (await setting.pull(first, 2)) as [Delivery]
    t.match(await progressOf(first, delivery), { owner: 'this', member: 'the first', inFlight: 2 })
  })

  t.test('each record is in the hands of one member', async (t) => {
    const setting = await Setting.make(t, harness)
    const streams = [await setting.start(), await setting.start()] as const
    const members = await Promise.all(
      streams.map((stream, index) => stream.consume(GROUP, { member: `member ${index}` })),
    )
    const found = new Map<string, number>()
    const worked = new Set<number>()
    const abort = new AbortController()
    const work = async (member: Consumer, index: number): Promise<void> => {
      while (!abort.signal.aborted) {
        const deliveries = await member.pull({
          recordsMax: 10,
          bytesMax: BYTES_MAX,
          waitMs: setting.waitMsMax,
          signal: abort.signal,
        })
        for (const delivery of deliveries) {
          const isFresh = (await delivery.begin(turnOf(delivery.record))) === 'fresh'
          const completed = await delivery.complete(isFresh ? { journal: [endOf(delivery)] } : {})
          if (!isFresh || completed !== 'done') continue
          worked.add(index)
          for (const text of textsOf([delivery])) found.set(text, (found.get(text) ?? 0) + 1)
        }
      }
    }
    const working = Promise.all(members.map(work))
    const isShared = streams[0].supports.members === 'share'
    let appended = 0
    const appendSome = async (): Promise<void> => {
      await streams[0].append(
        'calls',
        Array.from({ length: KEYS }, (_, key) => record(`key-${key}`, `${key + appended}`)),
      )
      appended += KEYS
    }
    await appendSome()
    // How members share what there is takes a while to settle.
    const isDone = async (): Promise<boolean> => {
      if (isShared && worked.size < members.length && found.size === appended) await appendSome()
      return found.size === appended && (!isShared || worked.size === members.length)
    }
    // Nobody may go on to pull from a stream that has stopped: that takes no time.
    await setting.until('every record is completed', isDone).finally(() => abort.abort())
    await working
    t.equal(worked.size, isShared ? members.length : 1, isShared ? 'members share the work' : 'one member works')
    t.strictSame(
      [...found].filter(([, times]) => times > 1),
      [],
      'nothing is completed twice',
    )
  })

  t.test('where members stand by, the second gets nothing until the first stops', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    if (stream.supports.members === 'share') {
      t.ok(stream.supports.machines, 'they do not stand by: the test above has them share the work')
      return
    }
    const first = await stream.consume(GROUP, { member: 'the first' })
    await stream.append('calls', recordsOfOneKey(3))
    const deliveries = await setting.pull(first, 3)
    const second = await (await setting.start()).consume(GROUP, { member: 'the second' })
    await completeAll(deliveries.slice(1, 2))
    t.strictSame(await setting.pullExcess(second), [], 'it gets nothing')
    const [progress] = (await second.progress()) as [Progress]
    t.match(progress, { owner: 'other', member: 'the first', committed: 0, inFlight: 0 })

    const pulling = second.pull({ recordsMax: 10, bytesMax: BYTES_MAX, waitMs: setting.waitMsMax })
    await first.stop()
    const [none] = (await first.progress()) as [Progress]
    t.ok(none.owner !== 'this', 'the first owns nothing')
    const again = await pulling
    t.strictSame(textsOf(again), ['0', '2'], 'it takes over what was not completed')
    t.match(await progressOf(second, again[0] as Delivery), { owner: 'this', member: 'the second', inFlight: 2 })
    await completeAll(again)
  })

  t.test('another member takes over from one that crashed', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const first = await stream.consume(GROUP)
    await stream.append('calls', recordsOfOneKey(3))
    const deliveries = await setting.pull(first, 3)
    await completeAll(deliveries.slice(0, 1))
    const second = await (await setting.start()).consume(GROUP)
    const pulling = setting.pull(second, 2)
    await setting.crash(stream)
    t.strictSame(sortedTextsOf(await pulling), ['1', '2'])
  })

  if (!harness.deposes) return
  t.test('what a member completes after another took over is lost', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const first = await stream.consume(GROUP)
    await stream.append('calls', recordsOfOneKey(4))
    const deliveries = (await setting.pull(first, 4)) as [Delivery, Delivery, Delivery, Delivery]
    await completeAll(deliveries.slice(0, 1))
    t.equal(await deliveries[3].checkOut(watchdogAt(deliveries[3], Date.now() + 2 * setting.promptMsMax)), 'done')

    await setting.storage.depose?.(stream)
    const second = await (await setting.start()).consume(GROUP)
    const again = await setting.pull(second, 2)
    t.strictSame(textsOf(again), ['1', '2'])
    const late = { journal: [record('late')], children: [record('late')], timers: [{ ...record('late'), dueMs: 0 }] }
    t.strictSame(
      await Promise.all([
        first.act(turnOf(record('one-key')), late),
        deliveries[1].complete(late),
        deliveries[2].checkOut(watchdogAt(deliveries[2], 0)),
        deliveries[3].complete(late),
      ]),
      ['elsewhere', 'lost', 'lost', 'lost'],
    )
    t.ok(
      deliveries.every(({ lost }) => lost.aborted),
      'it knows now',
    )
    t.ok(deliveries.every((delivery) => !delivery.held()))
    t.equal(await first.act(turnOf(record('one-key')), late), 'elsewhere', 'nor can it act later')
    t.equal(
      (await first.progress()).every(({ owner }) => owner === 'other'),
      true,
    )

    const inTime = again[0] as Delivery
    t.equal(await inTime.complete({ journal: [endOf(inTime, 'in time')] }), 'done', 'the new owner is not disturbed')
    const watchdog = await setting.pull(second, 1)
    t.strictSame(textsOf(watchdog), ['watchdog'], 'what the old one had checked out comes due with the new one')
    await completeAll([...again.slice(1), ...watchdog])
    t.strictSame(await setting.pullExcess(second), [])
    t.strictSame(await setting.pullExcess(first), [], 'the old one stands by')
    t.strictSame(textsOf(await setting.read('journal')), ['ended', 'in time', 'ended', 'ended'])
  })
}
