import type { Consumer, Delivery, NewTimer } from '../consumer.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import {
  BYTES_MAX,
  completeAll,
  endOf,
  GROUP,
  readAll,
  record,
  Setting,
  sortedTextsOf,
  textOf,
  textsOf,
  turnOf,
} from './setting.js'

export function timersContract(t: ContractTest, harness: StreamHarness): void {
  t.test('timers are never early, and little late', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    const startMs = Date.now() + setting.promptMsMax
    // 37 and 100 have no common divisor: the order in which they are put is not that in which they come due.
    const dues = Array.from({ length: 100 }, (_, index) => startMs + ((index * 37) % 100) * 7.3)
    await putTimers(setting, consumer, dues.map(timerAt))
    const arrivals = await arrivalsOf(setting, consumer, dues.length, dues.at(-1))
    t.strictSame(arrivals.map(({ dueMs }) => dueMs).sort(), [...dues].sort(), 'each comes, once')
    const early = arrivals.filter(({ dueMs, arrivedMs }) => arrivedMs < dueMs)
    t.strictSame(early, [], 'none is early')
    const late = arrivals.filter(({ dueMs, arrivedMs }) => arrivedMs > dueMs + setting.slowMsMax)
    t.strictSame(late, [], 'none is late')
    t.ok(arrivals.every(({ dueMs, appendedAtMs }) => appendedAtMs >= dueMs))
    const followed = (await readAll(stream, 'calls')).filter((record) => Number(textOf(record)) > 0)
    const isAfter = followed.every((record) => record.appendedAtMs >= Number(textOf(record)))
    t.ok(followed.length > 0 && isAfter, 'who follows sees it so too')
    t.strictSame(await setting.pullExcess(consumer), [])
  })

  t.test('a timer whose time is over comes due at once', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    await putTimers(setting, consumer, [timerAt(0), timerAt(Date.now() - 1_000)])
    const found = await setting.pull(consumer, 2, setting.slowMsMax)
    t.equal(found.length, 2)
  })

  for (const aside of [false, true]) {
    t.test(`what is ${aside ? 'moved aside' : 'put off'} comes back, however soon`, async (t) => {
      const setting = await Setting.make(t, harness)
      const stream = await setting.start()
      const consumer = await stream.consume(GROUP)
      const records = Array.from({ length: 200 }, (_, index) => record(`key-${index}`))
      await stream.append('calls', records)
      // The timer has the record's own turn, and may be there before the record is gone.
      for (let times = 0; times < 3; times += 1) {
        const deliveries = await setting.pull(consumer, records.length)
        const putOff = deliveries.map((delivery, index) => {
          const { key, value } = delivery.record
          return delivery.complete({
            aside,
            timers: [{ ...turnOf(delivery.record), key, value, dueMs: Date.now() + index - 100 }],
          })
        })
        t.ok((await Promise.all(putOff)).every((completed) => completed === 'done'))
      }
      const back = await setting.pull(consumer, records.length)
      t.strictSame(sortedTextsOf(back), records.map(textOf).sort(), 'each, once')
      await completeAll(back)
      t.strictSame(await setting.pullExcess(consumer), [])
    })
  }

  t.test('thousands may be due at one time', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    // Late enough for all to be put.
    const dueMs = Date.now() + setting.waitMsMax / 4
    const timers = Array.from({ length: 6_000 }, (_, index) => ({ ...record(`key-${index}`), dueMs }))
    await putTimers(setting, consumer, timers.slice(0, 3_000))
    await putTimers(setting, consumer, timers.slice(3_000))
    const found = await setting.pull(consumer, timers.length)
    t.ok(Date.now() >= dueMs)
    t.strictSame(textsOf(found).sort(), timers.map(textOf).sort(), 'each comes, once')
    await completeAll(found)
    t.strictSame(await setting.pullExcess(consumer), [])
  })

  for (const [how, isCrash] of [
    ['a stop', false],
    ['a crash', true],
  ] as const) {
    t.test(`after ${how} timers come due at their time`, async (t) => {
      const setting = await Setting.make(t, harness)
      const stream = await setting.start()
      const soonMs = Date.now() + 50
      const laterMs = Date.now() + 2 * setting.promptMsMax
      await putTimers(setting, await stream.consume(GROUP), [timerAt(laterMs), timerAt(soonMs)])
      if (isCrash) await setting.crash(stream)
      else await stream.stop()
      // One comes due while nobody consumes.
      await setting.until('the first is due', async () => Date.now() > soonMs)

      const consumer = await (await setting.start()).consume(GROUP)
      const found = await setting.pull(consumer, 1)
      t.strictSame(textsOf(found), [String(soonMs)], 'what was due meanwhile comes first')
      const [last] = await arrivalsOf(setting, consumer, 1, laterMs)
      t.equal(last?.dueMs, laterMs)
      t.ok((last?.arrivedMs ?? 0) >= laterMs, 'not early')
      t.strictSame(await setting.pullExcess(consumer), [])
    })
  }

  t.test('a timer that came due is a record like any other', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    await putTimers(setting, await stream.consume(GROUP), [timerAt(1)])
    await stream.stop()
    const second = await setting.start()
    const delivered = await setting.pull(await second.consume(GROUP), 1)
    await setting.crash(second)
    const third = await setting.start()
    const again = await setting.pull(await third.consume(GROUP), 1)
    t.strictSame(textsOf(again), textsOf(delivered), 'delivered again until it is completed')
    await completeAll(again)
    await setting.crash(third)
    t.strictSame(await setting.pullExcess(await (await setting.start()).consume(GROUP)), [])
  })
}

interface Arrival {
  readonly dueMs: number
  readonly arrivedMs: number
  readonly appendedAtMs: number
}

/** The text of a timer is its due time. */
function timerAt(dueMs: number): NewTimer {
  return { ...record(`timer-${dueMs}`, String(dueMs)), dueMs }
}

/** Timers come into being as the effect of a record. */
async function putTimers(setting: Setting, consumer: Consumer, timers: readonly NewTimer[]): Promise<void> {
  const stream = await setting.start()
  await stream.append('calls', [record('one-key', 'cause')])
  await stream.stop()
  const [cause] = (await setting.pull(consumer, 1)) as [Delivery]
  if ((await cause.complete({ timers, journal: [endOf(cause)] })) !== 'done') throw new Error('the timers were not put')
}

/** Pulls small lots, so that the time of each record's arrival is known, until all are due and came. */
async function arrivalsOf(setting: Setting, consumer: Consumer, count: number, lastDueMs = 0): Promise<Arrival[]> {
  const arrivals: Arrival[] = []
  const untilMs = Math.max(lastDueMs, Date.now()) + setting.waitMsMax
  while (arrivals.length < count && Date.now() < untilMs) {
    const deliveries = await consumer.pull({ recordsMax: 5, bytesMax: BYTES_MAX, waitMs: setting.waitMsMax })
    const arrivedMs = Date.now()
    for (const { record } of deliveries) {
      arrivals.push({ dueMs: Number(textOf(record)), arrivedMs, appendedAtMs: record.appendedAtMs })
    }
    await completeAll(deliveries)
  }
  return arrivals
}
