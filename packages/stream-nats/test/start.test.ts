import { setTimeout as sleep } from 'node:timers/promises'
import { connect, nanos } from 'nats'
import t from 'tap'
import { hasSchedules } from '../src/fitness.js'
import { NatsStream } from '../src/nats-stream.js'
import { createPrefix, NO_SERVER, optionsFor, removeStreams, SERVER } from './nats-harness.js'
import { NO_OWN_SERVER, type OwnServer, startServer } from './own-server.js'
import { record } from './work.js'

t.test('servers whose message schedules can be relied on', async (t) => {
  const fit = ['2.12.12', '2.12.13', '2.14.3', '2.14.10', '2.15.0', '2.15.2-preview.1', '3.0.0']
  const unfit = ['2.9.10', '2.10.29', '2.11.0', '2.12.0', '2.12.11', '2.13.5', '2.14.0', '2.14.2', '1.4.0', '']
  t.strictSame(fit.filter(hasSchedules), fit)
  t.strictSame(unfit.filter(hasSchedules), [])
})

t.test('a prefix that cannot be a name is refused', async (t) => {
  for (const prefix of ['', 'a.b', 'a b', '>', 'x'.repeat(65)]) {
    t.throws(() => new NatsStream(optionsFor(prefix)), { code: 'invalid-configuration' })
  }
})

t.test('a server that is not there may come later', { skip: NO_OWN_SERVER }, async (t) => {
  const server = await startServer(t)
  await server.kill()
  const stream = new NatsStream(optionsFor(createPrefix(), { servers: server.url }))
  await t.rejects(stream.start(), { code: 'stream-unavailable' })
  t.equal((await stream.health()).ready, false)
  await server.start()
  await stream.start()
  t.strictSame(await stream.health(), { ready: true })
  await stream.stop()
})

const unfitServers = [
  ['without JetStream', () => ({ jetstream: false }), 'JetStream is not enabled'],
  ['that takes only small messages', () => ({ max_payload: 65_536 }), 'max_payload is 65536'],
  [
    'that refuses the credentials',
    () => ({ authorization: { user: 'somebody', password: 'else' } }),
    'refuses the credentials',
  ],
  [
    'without room for the journal',
    (directory: string) => ({ jetstream: { store_dir: directory, max_file_store: 1_000_000 } }),
    'lacks room',
  ],
  [
    'that does not permit what is needed',
    () => ({
      authorization: { users: [{ user: 'a', password: 'b', permissions: { publish: ['nothing'], subscribe: ['>'] } }] },
    }),
    'does not permit',
  ],
] as const

for (const [what, config, reason] of unfitServers) {
  t.test(`a server ${what} is refused`, { skip: NO_OWN_SERVER }, async (t) => {
    const server: OwnServer = await startServer(t, config)
    const user = reason === 'does not permit' ? 'a:b@' : ''
    const servers = server.url.replace('//', `//${user}`)
    const stream = new NatsStream(optionsFor(createPrefix(), { servers }))
    const error = (await stream.start().catch((error: unknown) => error)) as Error
    t.match(error, { code: 'stream-unfit' })
    t.match(error.message, reason)
    await stream.stop()
  })
}

t.test('where TLS is wanted a server without it is refused', { skip: NO_SERVER }, async (t) => {
  const stream = new NatsStream(optionsFor(createPrefix(), { servers: SERVER.replace('nats:', 'tls:') }))
  await t.rejects(stream.start(), { code: 'stream-unfit' })
  await stream.stop()
})

t.test('a user and a password may stand in the URL', { skip: NO_OWN_SERVER }, async (t) => {
  const server = await startServer(t, () => ({ authorization: { user: 'a', password: 'p@ss' } }))
  const servers = server.url.replace('//', '//a:p%40ss@')
  const stream = new NatsStream(optionsFor(createPrefix(), { servers }))
  await stream.start()
  await stream.stop()
})

t.test('streams that would break a promise are refused, others are adjusted', { skip: NO_SERVER }, async (t) => {
  const nats = await connect({ servers: SERVER })
  const manager = await nats.jetstreamManager()
  const broken = [
    ['calls', { max_age: nanos(3_600_000) }, 'max_age'],
    ['calls', { max_bytes: 1_000_000 }, 'max_bytes'],
    ['calls', { max_msgs: 10 }, 'max_msgs'],
    ['calls', { storage: 'memory' }, 'storage'],
    ['calls', { subjects: [] }, 'subjects'],
    ['journal', { max_msgs_per_subject: 1 }, 'max_msgs_per_subject'],
    ['journal', { retention: 'workqueue' }, 'retention'],
    ['control', {}, 'max_msgs_per_subject'],
    ['control', { max_msgs_per_subject: 1, max_age: nanos(3_600_000) }, 'max_age'],
    ['claims', { max_bytes: 1_000_000 }, 'max_bytes'],
  ] as const
  for (const [log, settings, setting] of broken) {
    const prefix = createPrefix()
    const subjects = log === 'calls' ? [`${prefix}.calls`, `${prefix}.timers.>`] : [`${prefix}.${log}.>`]
    await manager.streams.add({ name: `${prefix}-${log}`, subjects, ...settings } as never)
    const error = (await new NatsStream(optionsFor(prefix)).start().catch((error: unknown) => error)) as Error
    t.match(error, { code: 'stream-unfit' }, setting)
    t.match(error.message, setting)
    await removeStreams(prefix)
  }

  const prefix = createPrefix()
  const first = new NatsStream(optionsFor(prefix))
  await first.start()
  // This is below the window in which the server looks for duplicates.
  const [journalRetention, claimRetentionMs] = [{ ageMs: 7_200_000, bytes: 1_000_000 }, 60_000]
  const second = new NatsStream(optionsFor(prefix, { journalRetention, claimRetentionMs }))
  await second.start()
  const configOf = async (log: string) => (await manager.streams.info(`${prefix}-${log}`)).config
  t.match(await configOf('journal'), { max_age: nanos(7_200_000), max_bytes: 1_000_000 })
  t.match(await configOf('claims'), { max_age: nanos(60_000), max_bytes: -1 })
  await Promise.all([first.stop(), second.stop()])
  await removeStreams(prefix)
  await nats.close()
})

t.test('a server that is full says so, and goes on when there is room', { skip: NO_OWN_SERVER }, async (t) => {
  const server = await startServer(t, (directory) => ({
    jetstream: { store_dir: directory, max_file_store: 8_000_000 },
  }))
  const journalRetention = { ageMs: 3_600_000, bytes: 2_000_000 }
  const stream = new NatsStream(optionsFor(createPrefix(), { servers: server.url, journalRetention }))
  await stream.start()
  const large = 'x'.repeat(500_000)
  const error = await (async () => {
    for (let index = 0; index < 40; index += 1) await stream.append('calls', [record(`${index}`, large)])
  })().catch((error: unknown) => error)
  t.match(error, { code: 'stream-full' })
  const consumer = await stream.consume('listeners')
  for (let index = 0; index < 5; index += 1) {
    const [delivery] = await consumer.pull({ recordsMax: 1, bytesMax: 1, waitMs: 5_000 })
    await delivery?.complete()
  }
  const untilMs = performance.now() + 20_000
  const more = async (): Promise<boolean> => {
    const failed = await stream.append('calls', [record('more', large)]).catch((error: unknown) => error)
    return failed === undefined
  }
  while (!(await more()) && performance.now() < untilMs) await sleep(100)
  t.ok(performance.now() < untilMs, 'there is room once they are trimmed')
  await stream.stop()
})
