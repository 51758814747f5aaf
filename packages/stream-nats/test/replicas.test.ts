import { setTimeout as sleep } from 'node:timers/promises'
import type { PosthasteError } from '@posthaste/core'
import type { Consumer } from '@posthaste/stream'
import t from 'tap'
import { NatsStream } from '../src/nats-stream.js'
import { createPrefix, optionsFor } from './nats-harness.js'
import { NO_OWN_SERVER, startCluster } from './own-server.js'
import { GROUP, readAll, record } from './work.js'

const KEYS = Array.from({ length: 50 }, (_, index) => `key-${index}`)

t.test(
  'with replicas too, of those who act for a turn at one moment one counts',
  { skip: NO_OWN_SERVER },
  async (t) => {
    const servers = await startCluster(t)
    const prefix = createPrefix()
    const streams = [1, 2].map(() => new NatsStream(optionsFor(prefix, { servers, replicas: 3 })))
    t.teardown(() => Promise.all(streams.map((stream) => stream.stop())))
    const members: Consumer[] = []
    for (const stream of streams) {
      await startSoon(stream)
      members.push(await stream.consume(GROUP))
    }
    for (const key of KEYS) {
      const effects = { journal: [record(key, 'acted')] }
      const acting = [...members, ...members].map((member) => member.act(record(key), effects))
      const answers = (await Promise.all(acting)).map((answer) => Buffer.from(answer).toString())
      t.strictSame(answers.sort(), ['acted', 'acted', 'acted', 'done'])
    }
    t.equal((await readAll(streams[0] as NatsStream, 'journal')).length, KEYS.length)
  },
)

/** A cluster that has just started may have no leader yet. */
async function startSoon(stream: NatsStream): Promise<void> {
  for (;;) {
    try {
      return await stream.start()
    } catch (error) {
      if ((error as PosthasteError).code !== 'stream-unavailable') throw error
      await sleep(100)
    }
  }
}
