import type { Delivery } from '../consumer.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import {
  completeAll,
  endOf,
  GROUP,
  progressOf,
  record,
  recordsOfOneKey,
  Setting,
  sortedTextsOf,
  textsOf,
  watchdogAt,
  within,
} from './setting.js'

export function completeContract(t: ContractTest, harness: StreamHarness): void {
  t.test('the committed offset moves over what is completed without a hole', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    await stream.append('calls', recordsOfOneKey(10))
    const deliveries = await setting.pull(consumer, 10)
    const first = deliveries[0] as Delivery
    const last = deliveries[9] as Delivery

    const before = await progressOf(consumer, first)
    t.ok(before.committed <= first.record.offset)
    t.ok(before.end > last.record.offset, 'the end is behind the last record')
    t.equal(before.inFlight, 10)
    t.equal(before.owner, 'this')

    await completeAll(deliveries.slice(3).reverse())
    const beyond = await progressOf(consumer, first)
    t.ok(beyond.committed <= first.record.offset, 'records beyond a hole do not move it')
    t.equal(beyond.inFlight, 3)

    await completeAll([deliveries[1] as Delivery])
    t.ok((await progressOf(consumer, first)).committed <= first.record.offset)
    await completeAll([first])
    const [second, hole] = deliveries.slice(1, 3) as [Delivery, Delivery]
    await setting.until('it moves to the hole', async () => {
      return (await progressOf(consumer, first)).committed > second.record.offset
    })
    t.ok((await progressOf(consumer, first)).committed <= hole.record.offset, 'and no further')

    await completeAll([deliveries[2] as Delivery])
    await setting.until('it moves over all', async () => {
      return (await progressOf(consumer, first)).committed > last.record.offset
    })
    const after = await progressOf(consumer, first)
    t.ok(after.committed <= after.end)
    t.equal(after.inFlight, 0)
  })

  for (const [how, isCrash] of [
    ['a stop', false],
    ['a crash', true],
  ] as const) {
    t.test(`after ${how} what was completed stays so, and the rest is delivered again`, async (t) => {
      const setting = await Setting.make(t, harness)
      const stream = await setting.start()
      await stream.append('calls', recordsOfOneKey(20))
      const deliveries = await setting.pull(await stream.consume(GROUP), 20)
      // Everything below 4 is the prefix; beyond it there are holes of one and of several.
      const isCompleted = (index: number): boolean => index < 4 || [6, 7, 9, 19].includes(index)
      await completeAll(deliveries.filter((_, index) => isCompleted(index)))
      if (isCrash) await setting.crash(stream)
      else await stream.stop()

      const next = await setting.start()
      const consumer = await next.consume(GROUP)
      const left = deliveries.filter((_, index) => !isCompleted(index))
      const again = await setting.pull(consumer, left.length)
      t.strictSame(sortedTextsOf(again), sortedTextsOf(left))
      t.strictSame(offsetsOf(again), offsetsOf(left), 'where they stood before')
      t.strictSame(await setting.pullExcess(consumer), [], 'and nothing else')
      await completeAll(again)
      await setting.until('what was completed before counts', async () => {
        const { committed } = await progressOf(consumer, again[0] as Delivery)
        return committed > (deliveries[19]?.record.offset ?? 0)
      })
    })
  }

  t.test('completing twice is completing once', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    await stream.append('calls', [record('a')])
    const [delivery] = (await setting.pull(consumer, 1)) as [Delivery]
    const effects = { journal: [endOf(delivery)], children: [record('child')] }
    t.strictSame(await Promise.all([delivery.complete(effects), delivery.complete(effects)]), ['done', 'done'])
    t.equal(await delivery.complete(effects), 'done')
    t.strictSame(textsOf(await setting.read('journal')), ['ended'])
    t.strictSame(textsOf(await setting.pull(consumer, 1)), ['child'])
    t.strictSame(await setting.pullExcess(consumer), [])
    const inFlight = (await consumer.progress()).reduce((sum, progress) => sum + progress.inFlight, 0)
    t.equal(inFlight, 1, 'the child alone')
  })

  t.test('a completion may come at any moment after another', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    const distances = Array.from({ length: 40 }, (_, index) => index)
    await stream.append('calls', recordsOfOneKey(2 * distances.length))
    const deliveries = await setting.pull(consumer, 2 * distances.length)
    for (const distance of distances) {
      const [first, second] = deliveries.splice(0, 2) as [Delivery, Delivery]
      await first.complete()
      // So many turns of the microtask queue: a writer that is about to rest must not miss it.
      for (let turn = 0; turn < distance; turn += 1) await undefined
      t.equal(await within(setting.waitMsMax, second.complete()), 'done', `${distance} turns later`)
    }
  })

  t.test('the effects of a completion are there once it resolves, crash or not', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    await stream.append('calls', recordsOfOneKey(3))
    const deliveries = await setting.pull(await stream.consume(GROUP), 3)
    const dueMs = Date.now() + setting.promptMsMax
    const completed = deliveries.slice(0, 2).map((delivery, index) =>
      delivery.complete({
        timers: [{ ...record('one-key', `timer-${index}`), dueMs }],
        children: [record('one-key', `child-${index}`)],
        journal: [endOf(delivery, `ended-${index}`)],
        control: [record(`control-${index}`)],
      }),
    )
    t.strictSame(await Promise.all(completed), ['done', 'done'])
    await setting.crash(stream)

    t.strictSame(textsOf(await setting.read('journal')), ['ended-0', 'ended-1'])
    t.strictSame(sortedTextsOf(await setting.read('control')), ['control-0', 'control-1'])
    const consumer = await (await setting.start()).consume(GROUP)
    const found = await setting.pull(consumer, 5)
    t.strictSame(textsOf(found).sort(), ['2', 'child-0', 'child-1', 'timer-0', 'timer-1'])
    t.strictSame(await setting.pullExcess(consumer), [])
  })

  t.test('a completion that is lost has no effects', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    await stream.append('calls', [record('a')])
    const [delivery] = (await setting.pull(consumer, 1)) as [Delivery]
    t.equal(delivery.held(), true)
    t.equal(delivery.lost.aborted, false)
    await consumer.stop()
    t.equal(delivery.held(), false)
    t.equal(delivery.lost.aborted, true)
    const effects = {
      timers: [{ ...record('timer'), dueMs: 0 }],
      children: [record('child')],
      journal: [endOf(delivery)],
      notes: [endOf(delivery, 'noted')],
      control: [record('control')],
    }
    t.equal(await delivery.complete(effects), 'lost')
    t.equal(await delivery.complete(effects), 'lost')
    t.equal(await delivery.checkOut(watchdogAt(delivery, 0), effects.notes), 'lost')

    const next = await stream.consume(GROUP)
    t.strictSame(textsOf(await setting.pull(next, 1)), ['a'])
    t.strictSame(await setting.pullExcess(next), [])
    t.strictSame(await setting.read('journal'), [])
    t.strictSame(await setting.read('control'), [])
  })
}

function offsetsOf(deliveries: readonly Delivery[]): number[] {
  return deliveries.map(({ record }) => record.offset).sort((a, b) => a - b)
}
