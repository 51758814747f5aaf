import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Followed } from '@posthaste/stream'
import { connect, headers } from 'nats'
import t from 'tap'
import { NO_SERVER, SERVER } from './nats-harness.js'
import { askTooFar, connectWith, readAll, record, Streams, textOf } from './work.js'

const skip = NO_SERVER

t.test('what is empty goes by itself after a week, alone or with many', { skip }, async (t) => {
  const streams = new Streams(t)
  const stream = await streams.start()
  const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`)
  await stream.append('control', [record('stays'), ...keys.map((key) => record(key))])
  await stream.append('control', [record('alone', '')])
  await Promise.all(keys.map((key) => stream.append('control', [record(key, '')])))
  const nats = await connect({ servers: SERVER })
  const { streams: raw } = await nats.jetstreamManager()
  const name = `${streams.prefix}-control`
  t.equal((await raw.info(name)).state.messages, keys.length + 2)
  const ttlOf = async (key: string): Promise<string> => {
    const message = await raw.getMessage(name, { last_by_subj: `${streams.prefix}.control.${key}` })
    return message.header.get('Nats-TTL')
  }
  t.equal(await ttlOf('stays'), '')
  t.strictSame(new Set(await Promise.all(['alone', ...keys].map(ttlOf))), new Set(['168h']))
  // That the server keeps to it shows with a shorter time.
  const marks = headers()
  marks.set('Nats-TTL', '1s')
  await nats.jetstream().publish(`${streams.prefix}.control.alone`, '', { headers: marks })
  while ((await raw.info(name)).state.messages > keys.length + 1) await sleep(50)
  await t.rejects(ttlOf('alone'))
  await nats.close()
})

t.test('claims go when their time is over', { skip }, async (t) => {
  const stream = await new Streams(t).start({ claimRetentionMs: 1_500 })
  await stream.append('claims', [record('a')])
  const appendedMs = performance.now()
  t.strictSame(await readAll(stream, 'claims'), ['a'])
  while ((await readAll(stream, 'claims')).length > 0) await sleep(50)
  t.ok(performance.now() - appendedMs > 1_000, 'and not before')
})

t.test('nothing is taken for the end that only a replica believes to be the end', { skip }, async (t) => {
  /** For so many questions to the leader yet the replicas that answer lag. */
  let lag = 0
  const streams = new Streams(t)
  const stream = await streams.start({
    connect: connectWith((subject, data) => {
      if (subject.includes('STREAM.MSG.GET') && lag > 0) lag -= 1
      return lag > 0 && subject.includes('DIRECT.GET') ? askTooFar(data) : true
    }),
  })
  const other = await streams.start()
  const follower = stream.follow('control', 'start', { beats: true })[Symbol.asyncIterator]()
  const next = async (): Promise<Followed> => (await follower.next()).value
  t.match(await next(), { records: [] })
  lag = 5
  await other.append('control', [record('a')])
  const appendedMs = performance.now()
  let followed = await next()
  // What was asked before the append is told after it.
  while (followed.records.length === 0 && (followed.asOfMs ?? appendedMs) < appendedMs) followed = await next()
  t.strictSame(followed.records.map(textOf), ['a'], 'no beat hides it')
  t.equal(lag, 0)
  t.ok(((await next()).asOfMs ?? 0) > appendedMs)
  await follower.return?.()
})

for (const api of ['STREAM.MSG.GET', 'DIRECT.GET']) {
  t.test(
    `who follows has come to an end when the stream has stopped, also without an answer to ${api}`,
    {
      skip,
    },
    async (t) => {
      const streams = new Streams(t)
      const asked = new AbortController()
      const stream = await streams.start({
        connect: connectWith((subject) => {
          if (!subject.includes(api)) return true
          asked.abort()
          return false
        }),
      })
      await stream.append('control', [record('a')])
      let hasEnded = false
      const following = (async () => {
        for await (const _ of stream.follow('control', 'start', { beats: true }));
        hasEnded = true
      })()
      if (!asked.signal.aborted) await once(asked.signal, 'abort')
      await stream.stop()
      t.equal(hasEnded, true)
      await following
    },
  )
}
