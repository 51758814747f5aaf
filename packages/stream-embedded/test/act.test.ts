import type { Delivery } from '@posthaste/stream'
import t from 'tap'
import { Timers } from '../src/timers.js'
import { silent } from './embedded-harness.js'
import { type Opened, openStream, pull, record } from './open-stream.js'

const TURN = { key: 'a', generation: 2, attempt: 3 }
const ENDED = [{ ...TURN, value: Buffer.from('ended') }]

t.test('nobody acts before the lease is taken', async (t) => {
  const opened = await openStream(t)
  t.equal(await opened.consumer.act(TURN, { journal: ENDED }), 'elsewhere')
  await pull(opened.consumer, 1, 0)
  t.equal(await opened.consumer.act(TURN, { journal: ENDED }), 'done')
  t.strictSame(await journalOf(opened), ['ended'])
})

t.test('who acts for a turn that ended a moment ago is told how, and writes nothing', async (t) => {
  const opened = await openStream(t)
  const { consumer, environment, stream } = opened
  await stream.append('calls', [record('a')])
  const [delivery] = (await pull(consumer, 1)) as [Delivery]
  // In this order they are asked for; in one transaction they are written.
  const completed = delivery.complete({ journal: ENDED })
  const late = { journal: [{ ...TURN, value: Buffer.from('late') }], timers: [{ ...record('a'), dueMs: 0 }] }
  const acted = consumer.act(TURN, late)
  t.equal(await completed, 'done')
  t.strictSame(await acted, Buffer.from('ended'))
  t.strictSame(await consumer.act(TURN, late), Buffer.from('ended'), 'later too')
  t.strictSame(await journalOf(opened), ['ended'])
  environment.refresh()
  t.equal(new Timers(environment).firstDueMs(), Number.POSITIVE_INFINITY)
  t.equal(await consumer.act({ ...TURN, attempt: 4 }, late), 'done', 'another attempt is another turn')
})

t.test('what is done for a turn is written once, though the disk fails at first', async (t) => {
  let failures = 0
  const opened = await openStream(t, { log: { ...silent, error: () => (failures += 1) } })
  const { consumer, environment } = opened
  await pull(consumer, 1, 0)
  const acts = [consumer.act(TURN, { journal: ENDED }), consumer.act(TURN, { journal: ENDED })]
  // All that is asked for at one time shares a transaction, and fails with it.
  const wrong = Promise.resolve().then(() =>
    environment.commit(() => {
      throw new Error('wrong')
    }),
  )
  await t.rejects(wrong, { message: 'wrong' })
  const [first, second] = await Promise.all(acts)
  t.equal(failures, 1)
  t.equal(first, 'done')
  t.strictSame(second, Buffer.from('ended'))
  t.strictSame(await journalOf(opened), ['ended'])
})

async function journalOf({ stream }: Opened): Promise<string[]> {
  const texts: string[] = []
  for await (const { records } of stream.follow('journal', 'start', { untilEnd: true })) {
    texts.push(...records.map(({ value }) => Buffer.from(value).toString()))
  }
  return texts
}
