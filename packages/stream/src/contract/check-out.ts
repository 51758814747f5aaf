import type { Consumer, Delivery } from '../consumer.js'
import type { Stream } from '../stream.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import { completeAll, endOf, GROUP, progressOf, record, Setting, textsOf, watchdogAt } from './setting.js'

export function checkOutContract(t: ContractTest, harness: StreamHarness): void {
  t.test('a call that is checked out holds nothing up', async (t) => {
    const setting = await Setting.make(t, harness)
    const { stream, consumer, delivery } = await delivered(setting)
    const dueMs = Date.now() + 2 * setting.promptMsMax
    t.strictSame(
      await Promise.all([
        delivery.checkOut(watchdogAt(delivery, dueMs)),
        delivery.checkOut(watchdogAt(delivery, dueMs)),
      ]),
      ['done', 'done'],
    )
    const isCompleted = (await progressOf(consumer, delivery)).committed > delivery.record.offset
    t.equal(isCompleted, stream.supports.watchdogs, 'its record is completed if a watchdog has its place')
    t.equal(delivery.held(), true, 'it goes on')

    t.equal(await delivery.complete({ journal: [endOf(delivery)] }), 'done')
    t.equal(await delivery.complete({ journal: [endOf(delivery)] }), 'done')
    t.strictSame(textsOf(await setting.read('journal')), ['ended'], 'its effects are there once')
    t.strictSame(await setting.pullExcess(consumer, 3 * setting.promptMsMax), [], 'its watchdog never comes')
    await stream.stop()
    t.strictSame(
      await setting.pullExcess(await (await setting.start()).consume(GROUP)),
      [],
      'not after a restart either',
    )
  })

  for (const [how, isCrash] of [
    ['a stop', false],
    ['a crash', true],
  ] as const) {
    t.test(`after ${how} a call that was checked out comes again at its time`, async (t) => {
      const setting = await Setting.make(t, harness)
      const { stream, delivery } = await delivered(setting)
      const dueMs = Date.now() + 2 * setting.promptMsMax
      t.equal(await delivery.checkOut(watchdogAt(delivery, dueMs)), 'done')
      if (isCrash) await setting.crash(stream)
      else await stream.stop()

      const consumer = await (await setting.start()).consume(GROUP)
      const [again] = (await setting.pull(consumer, 1)) as [Delivery]
      const { watchdogs } = stream.supports
      t.ok(Date.now() >= dueMs || !watchdogs, 'not before its watchdog is due')
      t.ok(Date.now() <= dueMs + setting.promptMsMax + setting.waitMsMax, 'in time')
      t.strictSame([again.record.key, ...textsOf([again])], ['long', watchdogs ? 'watchdog' : 'long'])
      await completeAll([again])
      t.strictSame(await setting.pullExcess(consumer), [])
      t.strictSame(textsOf(await setting.read('journal')), ['ended'], 'it has one end')
    })
  }

  t.test('a call that outlives its watchdog is not delivered again while it runs', async (t) => {
    const setting = await Setting.make(t, harness)
    const { consumer, delivery } = await delivered(setting)
    t.equal(await delivery.checkOut(watchdogAt(delivery, Date.now() + 50)), 'done')
    t.strictSame(await setting.pullExcess(consumer, 50 + setting.promptMsMax), [])
    t.equal(await delivery.complete({ journal: [endOf(delivery)] }), 'done')
    t.strictSame(textsOf(await setting.read('journal')), ['ended'])
    t.strictSame(await setting.pullExcess(consumer), [])
  })

  t.test('a call may be checked out with a time that is over', async (t) => {
    const setting = await Setting.make(t, harness)
    const { consumer, delivery } = await delivered(setting)
    const pulling = setting.pullExcess(consumer, 2 * setting.promptMsMax)
    t.equal(await delivery.checkOut(watchdogAt(delivery, Date.now() - 1)), 'done')
    t.strictSame(await pulling, [], 'it is not delivered while it runs')
    t.equal(await delivery.complete({ journal: [endOf(delivery)] }), 'done')
    t.strictSame(textsOf(await setting.read('journal')), ['ended'])
  })

  t.test('a call may end while it is being checked out', async (t) => {
    const setting = await Setting.make(t, harness)
    const { stream, consumer, delivery } = await delivered(setting)
    const checkedOut = delivery.checkOut(watchdogAt(delivery, Date.now() + 2 * setting.promptMsMax))
    const completed = delivery.complete({ journal: [endOf(delivery)], children: [record('child')] })
    t.strictSame(await Promise.all([checkedOut, completed]), ['done', 'done'])
    t.strictSame(textsOf(await setting.pull(consumer, 1)), ['child'])
    t.strictSame(textsOf(await setting.read('journal')), ['ended'], 'its effects are there once')
    await setting.crash(stream)
    const consumerAfter = await (await setting.start()).consume(GROUP)
    const found = await setting.pull(consumerAfter, 1)
    found.push(...(await setting.pullExcess(consumerAfter, 3 * setting.promptMsMax)))
    t.strictSame(textsOf(found), ['child'], 'its watchdog is gone')
  })

  t.test('checking out what is completed changes nothing', async (t) => {
    const setting = await Setting.make(t, harness)
    const { consumer, delivery } = await delivered(setting)
    const completed = delivery.complete({ journal: [endOf(delivery)] })
    t.equal(await delivery.checkOut(watchdogAt(delivery, 0)), 'done')
    t.equal(await completed, 'done')
    t.strictSame(await setting.pullExcess(consumer), [])
    t.strictSame(textsOf(await setting.read('journal')), ['ended'])
  })
}

async function delivered(setting: Setting): Promise<{ stream: Stream; consumer: Consumer; delivery: Delivery }> {
  const stream = await setting.start()
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record('long')])
  const [delivery] = (await setting.pull(consumer, 1)) as [Delivery]
  return { stream, consumer, delivery }
}
