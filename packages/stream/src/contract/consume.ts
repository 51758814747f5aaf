import type { Consumer } from '../consumer.js'
import type { Stream } from '../stream.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import { BYTES_MAX, completeAll, GROUP, record, recordsOfOneKey, Setting, textOf, textsOf, timed } from './setting.js'

const LONG_MS = 60_000

export function consumeContract(t: ContractTest, harness: StreamHarness): void {
  t.test('a pull returns no more than it was asked for, and the next one goes on from there', async (t) => {
    const setting = await Setting.make(t, harness)
    const { stream, consumer } = await joined(setting)
    const wanted = recordsOfOneKey(25)
    await stream.append('calls', wanted)
    const found: string[] = []
    while (found.length < wanted.length) {
      const pulled = await consumer.pull({ recordsMax: 10, bytesMax: BYTES_MAX, waitMs: setting.waitMsMax })
      t.ok(pulled.length > 0 && pulled.length <= 10, `${pulled.length} came`)
      if (pulled.length === 0) break
      found.push(...textsOf(pulled))
    }
    t.strictSame(found, wanted.map(textOf), 'in order, each once, though none is completed')
    t.strictSame(await setting.pullExcess(consumer), [])
  })

  t.test('a pull stops at the record that reaches the bytes it was asked for', async (t) => {
    const setting = await Setting.make(t, harness)
    const { stream, consumer } = await joined(setting)
    await stream.append(
      'calls',
      Array.from({ length: 5 }, (_, index) => record('one-key', `${index}`.repeat(100))),
    )
    const lots: string[] = []
    for (const bytesMax of [1, 101, 1_000]) {
      const pulled = await consumer.pull({ recordsMax: 10, bytesMax, waitMs: setting.waitMsMax })
      lots.push(
        textsOf(pulled)
          .map((text) => text.charAt(0))
          .join(''),
      )
    }
    t.strictSame(lots, ['0', '12', '34'], 'one record in any case')
  })

  t.test('a pull that finds nothing waits as long as it was told', async (t) => {
    const setting = await Setting.make(t, harness)
    const { consumer } = await joined(setting)
    for (const waitMs of [0, 300]) {
      const [found, tookMs] = await timed(consumer.pull({ recordsMax: 10, bytesMax: BYTES_MAX, waitMs }))
      t.strictSame(found, [])
      t.ok(tookMs >= waitMs * 0.9, `${waitMs} ms: ${tookMs} ms, not less`)
      t.ok(tookMs < waitMs + setting.slowMsMax, `${waitMs} ms: ${tookMs} ms, not much more`)
    }
  })

  t.test('a signal ends a pull', async (t) => {
    const setting = await Setting.make(t, harness)
    const { stream, consumer } = await joined(setting)
    const abort = new AbortController()
    const pulling = consumer.pull({ recordsMax: 10, bytesMax: BYTES_MAX, waitMs: LONG_MS, signal: abort.signal })
    await new Promise(setImmediate)
    abort.abort()
    const [found, tookMs] = await timed(pulling)
    t.strictSame(found, [])
    t.ok(tookMs < setting.slowMsMax, `${tookMs} ms after the signal`)

    const [none, atOnceMs] = await timed(
      consumer.pull({ recordsMax: 10, bytesMax: BYTES_MAX, waitMs: LONG_MS, signal: abort.signal }),
    )
    t.strictSame(none, [])
    t.ok(atOnceMs < setting.slowMsMax, `${atOnceMs} ms with a signal that was aborted before`)

    await stream.append('calls', [record('a')])
    t.strictSame(textsOf(await setting.pull(consumer, 1)), ['a'], 'the next pull is as good as ever')
  })

  t.test('an append wakes a waiting pull', async (t) => {
    const setting = await Setting.make(t, harness)
    const { stream, consumer } = await joined(setting)
    const other = await setting.start()
    for (const [who, appender] of [
      ['the same stream', stream],
      ['another stream', other],
    ] as const) {
      const pulling = consumer.pull({ recordsMax: 10, bytesMax: BYTES_MAX, waitMs: LONG_MS })
      await appender.append('calls', [record('a', who)])
      const [found, tookMs] = await timed(pulling)
      t.strictSame(textsOf(found), [who])
      t.ok(tookMs < setting.slowMsMax, `${who}: ${tookMs} ms after the append`)
      await completeAll(found)
    }
  })

  t.test('what was appended before anybody joined is delivered', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    await stream.append('calls', recordsOfOneKey(3))
    const consumer = await stream.consume(GROUP)
    t.strictSame(textsOf(await setting.pull(consumer, 3)), ['0', '1', '2'])
  })

  t.test('many records come in order and once while they are appended and completed', async (t) => {
    const setting = await Setting.make(t, harness)
    const { stream, consumer } = await joined(setting)
    const wanted = recordsOfOneKey(3_000)
    const appending = (async () => {
      for (let from = 0; from < wanted.length; from += 100) await stream.append('calls', wanted.slice(from, from + 100))
    })()
    const found: string[] = []
    const completing: Promise<unknown>[] = []
    while (found.length < wanted.length) {
      const deliveries = await consumer.pull({ recordsMax: 70, bytesMax: BYTES_MAX, waitMs: setting.waitMsMax })
      if (deliveries.length === 0) break
      found.push(...textsOf(deliveries))
      completing.push(completeAll(deliveries))
    }
    await appending
    await Promise.all(completing)
    t.strictSame(found, wanted.map(textOf))
    t.strictSame(await setting.pullExcess(consumer), [])
  })
}

/** A consumer that has delivered before, so that joining is not part of what is measured. */
async function joined(setting: Setting): Promise<{ stream: Stream; consumer: Consumer }> {
  const stream = await setting.start()
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record('one-key', 'first')])
  await completeAll(await setting.pull(consumer, 1))
  return { stream, consumer }
}
