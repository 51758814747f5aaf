import type { Delivery } from '../consumer.js'
import { COMPLETED_KEPT_MS } from '../kept-offset.js'
import type { Stream } from '../stream.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import {
  completeAll,
  endOf,
  GROUP,
  isGapBehind,
  progressOf,
  readAll,
  record,
  recordsOfOneKey,
  Setting,
  sortedTextsOf,
  textsOf,
} from './setting.js'

export function trimContract(t: ContractTest, harness: StreamHarness): void {
  t.test('completed calls go, and offsets go on', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    for (const lot of ['a', 'b', 'c']) await stream.append('calls', recordsOfOneKey(50, lot))
    const deliveries = await setting.pull(consumer, 150)
    const last = deliveries.at(-1) as Delivery
    const positionAtEnd = await lastPosition()
    for (const delivery of deliveries) void delivery.complete({ journal: [endOf(delivery)] })
    t.strictSame(await setting.pullExcess(consumer), [])
    t.equal((await readAll(stream, 'calls')).length, 150, 'at first they stay, for who follows')
    await empty(stream)
    t.equal((await readAll(stream, 'journal')).length, 150, 'the journal stays')

    await stream.append('calls', [record('one-key', 'next')])
    const [next] = (await setting.pull(consumer, 1)) as [Delivery]
    t.strictSame(textsOf([next]), ['next'])
    t.ok(next.record.offset > last.record.offset, 'offsets go on')
    await completeAll([next])
    await empty(stream)
    await stream.stop()

    const after = await setting.start()
    await after.append('calls', [record('one-key', 'after')])
    const consumerAfter = await after.consume(GROUP)
    const [delivery] = (await setting.pull(consumerAfter, 1)) as [Delivery]
    t.strictSame(textsOf([delivery]), ['after'])
    t.ok(delivery.record.offset > next.record.offset, 'also after a restart')
    await setting.until('the checkpoint is past what was completed', async () => {
      return (await progressOf(consumerAfter, delivery)).committed > next.record.offset
    })
    t.strictSame(textsOf(await readAll(after, 'calls', positionAtEnd)), ['after'], 'an old position is still good')
    t.ok(await isGapBehind(after, 'calls', positionAtEnd), 'and it is told that something was missed')
    t.strictSame(await setting.pullExcess(consumerAfter), [])

    function empty(stream: Stream): Promise<void> {
      const isEmpty = async (): Promise<boolean> => (await readAll(stream, 'calls')).length === 0
      return setting.until('calls is empty', isEmpty, COMPLETED_KEPT_MS)
    }

    async function lastPosition(): Promise<string> {
      let at = ''
      for await (const { position } of stream.follow('calls', 'start', { untilEnd: true })) at = position
      return at
    }
  })

  t.test('what is not completed stays, and so do timers', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    // Every lot is appended by itself, so that a backend has something to cut off between them.
    for (const lot of ['a', 'b', 'c', 'd']) await stream.append('calls', recordsOfOneKey(10, lot))
    const deliveries = await setting.pull(consumer, 40)
    const dueMs = Date.now() + 3 * setting.promptMsMax
    const stuck = deliveries[25] as Delivery
    const completed = deliveries.filter((delivery) => delivery !== stuck)
    const cause = completed[0] as Delivery
    await cause.complete({ timers: [{ ...record('one-key', 'timer'), dueMs }], journal: [endOf(cause)] })
    await completeAll(completed.slice(1))
    const isShorter = async (): Promise<boolean> => (await readAll(stream, 'calls')).length < deliveries.length
    await setting.until('what is below the stuck record goes', isShorter, COMPLETED_KEPT_MS)
    await setting.pullExcess(consumer)
    t.ok(textsOf(await readAll(stream, 'calls')).includes(textsOf([stuck])[0] ?? ''), 'the stuck record stays')

    await setting.crash(stream)
    const consumerAfter = await (await setting.start()).consume(GROUP)
    const again = await setting.pull(consumerAfter, 2)
    t.strictSame(sortedTextsOf(again), [...textsOf([stuck]), 'timer'].sort())
    t.ok(Date.now() >= dueMs)
    await completeAll(again)
    t.strictSame(await setting.pullExcess(consumerAfter), [])
  })
}
