import type { Delivery } from '../consumer.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import { BYTES_MAX, endOf, GROUP, record, Setting, textsOf, turnOf } from './setting.js'

export function beginContract(t: ContractTest, harness: StreamHarness): void {
  t.test('of what is written twice for one turn, one is worked on', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    const twice = record('a')
    await stream.append('calls', [twice])
    const [first] = (await setting.pull(consumer, 1)) as [Delivery]
    await stream.append('calls', [twice])
    t.strictSame(await setting.pullExcess(consumer), [], 'while it is in work')
    t.equal(await first.complete({ journal: [endOf(first)] }), 'done')
    await stream.append('calls', [twice])
    t.strictSame(await setting.pullExcess(consumer), [], 'and after it has ended')
    t.strictSame(textsOf(await setting.read('journal')), ['ended'])
  })

  t.test('what a member recorded and did not complete is told to the next', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    await stream.append('calls', [record('one-key', 'a'), record('one-key', 'b')])
    const [recorded] = (await setting.pull(await stream.consume(GROUP), 2)) as [Delivery, Delivery]
    // As far as a member comes that dies between the two steps of a completion.
    await stream.append('journal', [endOf(recorded)])
    await setting.crash(stream)

    const next = await setting.start()
    const consumer = await next.consume(GROUP)
    const found = new Map<string, string>()
    await setting.until('both come again', async () => {
      for (const delivery of await consumer.pull({ recordsMax: 10, bytesMax: BYTES_MAX, waitMs: setting.waitMsMax })) {
        const begun = await delivery.begin(turnOf(delivery.record))
        found.set(Buffer.from(delivery.record.value).toString(), Buffer.from(begun).toString())
        const effects =
          begun === 'fresh' ? { journal: [endOf(delivery)] } : { again: true, children: [record('child')] }
        t.equal(await delivery.complete(effects), 'done')
      }
      return found.size >= 2
    })
    found.delete('child')
    t.strictSame(Object.fromEntries(found), { a: next.supports.atomic ? 'fresh' : 'ended', b: 'fresh' })
  })
}
