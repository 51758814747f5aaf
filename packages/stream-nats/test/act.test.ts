import t from 'tap'
import { NO_SERVER } from './nats-harness.js'
import { askTooFar, connectWith, GROUP, pullOne, readAll, record, Streams, textOf } from './work.js'

const skip = NO_SERVER

t.test('an act whose entry was written and not answered goes on', { skip }, async (t) => {
  let breaks = 1
  const streams = new Streams(t)
  const stream = await streams.start({
    connect: connectWith((subject, _, connection) => {
      if (subject.includes('.journal.') && breaks > 0) {
        breaks -= 1
        setImmediate(() => void connection.reconnect())
      }
      return true
    }),
  })
  const consumer = await stream.consume(GROUP)
  const effects = {
    journal: [record('a', 'acted')],
    notes: [record('a', 'noted')],
    children: [record('child')],
    control: [record('a', 'asked')],
  }
  t.equal(await consumer.act(record('a'), effects), 'done')
  t.equal(breaks, 0)
  t.strictSame(await readAll(stream, 'journal'), ['acted', 'noted'])
  t.strictSame(await readAll(stream, 'control'), ['asked'])
  t.equal(textOf((await pullOne(consumer)).record), 'child')
})

t.test(
  'who acts too late is told how the turn ended, though the replica that it asks does not know yet',
  {
    skip,
  },
  async (t) => {
    let asked = 0
    const streams = new Streams(t)
    const stream = await streams.start({
      connect: connectWith((subject, data) => {
        if (!subject.includes('DIRECT.GET')) return true
        asked += 1
        return asked > 2 || askTooFar(data)
      }),
    })
    const consumer = await stream.consume(GROUP)
    await stream.append('journal', [record('a', 'ended')])
    const effects = { journal: [record('a', 'acted')], control: [record('a', 'asked')] }
    t.strictSame(await consumer.act(record('a'), effects), Buffer.from('ended'))
    t.equal(asked, 3)
    t.strictSame(await readAll(stream, 'journal'), ['ended'])
    t.strictSame(await readAll(stream, 'control'), [])
  },
)

t.test('what brings no entry is not done for a turn that has ended', { skip }, async (t) => {
  const stream = await new Streams(t).start()
  const consumer = await stream.consume(GROUP)
  await stream.append('journal', [record('a', 'ended')])
  const timers = [{ ...record('a', 'moved'), dueMs: Date.now() }]
  t.strictSame(await consumer.act(record('a'), { timers, control: [record('a', 'asked')] }), Buffer.from('ended'))
  t.strictSame(await readAll(stream, 'control'), [])
  // Had the timer been written, it would come before this one.
  t.equal(await consumer.act(record('b'), { timers: [{ ...record('b'), dueMs: Date.now() + 1_000 }] }), 'done')
  t.equal(textOf((await pullOne(consumer)).record), 'b')
})

t.test('what is larger than a record may be is refused', { skip }, async (t) => {
  const stream = await new Streams(t).start()
  const consumer = await stream.consume(GROUP)
  const large = record('a', 'x'.repeat(stream.supports.recordBytesMax + 1))
  for (const effects of [{ notes: [large] }, { control: [large] }]) {
    await t.rejects(consumer.act(record('a'), { journal: [record('a')], ...effects }), { code: 'too-large' })
  }
  t.strictSame(await readAll(stream, 'journal'), [])
})
