import { env } from 'node:process'
import type { CheckpointStore } from '@posthaste/storage'
import { KafkaCheckpointStore } from '@posthaste/stream-kafka'
import { NatsCheckpointStore } from '@posthaste/stream-nats'
import { Kafka, logLevel } from 'kafkajs'
import { connect } from 'nats'
import t, { type Test } from 'tap'
import { type Backend, kafka, nats, testOn } from './harness/backends.js'
import type { BrokerInstallation } from './harness/broker-installation.js'
import { checkEnds } from './harness/ends.js'
import { Fleet } from './harness/fleet.js'
import { silent } from './harness/installation.js'
import { answerOf, DEFERRED_MS_MAX } from './harness/instruction-mix.js'
import { createRandom } from './harness/random.js'
import { findRepeats } from './harness/repeats.js'
import { TargetServer } from './harness/target-server.js'
import { Traffic } from './harness/traffic.js'

// The Kafka stream with its checkpoints in a store. A listener is killed: another finds in the store how far it had come.

const LISTENERS = ['listener-1', 'listener-2'] as const
const ACCEPTED_AFTER_KILL = 300
/** A listener that made so many calls is at work. */
const CALLS_AT_WORK = 50
/** So many calls the killed listener may have had under way, and as many that had just ended. */
const CONCURRENCY = 32
const REPEATS_MAX = 2 * CONCURRENCY
const COMMIT_MS_MAX = 1_500
/** The kernel closes the connections of a process that was killed; the target may be busy with others. */
const CLOSE_MS_MAX = 5_000
const SETTINGS = { concurrency: String(CONCURRENCY), stopGrace: '2s' } as const
const JOURNAL = { ageMs: 3_600_000, bytes: 2 ** 30 }
const NATS_URL = env.POSTHASTE_TEST_NATS_URL ?? ''

interface OpenStore extends CheckpointStore {
  close(): Promise<void>
}

interface Place {
  readonly checkpoints: 'kafka' | 'nats'
  readonly backend: Backend<BrokerInstallation>
  open(installation: BrokerInstallation): Promise<OpenStore>
  /** Removes what `kafka.create` does not know of. */
  clear(installation: BrokerInstallation): Promise<void>
}

const places: readonly Place[] = [
  {
    checkpoints: 'kafka',
    backend: kafka,
    open: ({ prefix, settings: { kafkaBrokers: brokers = '' } }) =>
      KafkaCheckpointStore.open({ brokers, prefix, journalRetention: JOURNAL, log: silent }),
    clear: async () => undefined,
  },
  {
    checkpoints: 'nats',
    backend: { ...kafka, lacking: kafka.lacking ?? nats.lacking },
    open: ({ prefix }) => NatsCheckpointStore.open({ servers: NATS_URL, prefix, log: silent }),
    async clear({ prefix }) {
      const connection = await connect({ servers: NATS_URL })
      await (await connection.jetstreamManager()).streams.delete(`KV_${prefix}-checkpoints`)
      await connection.close()
    },
  },
]

const random = createRandom()
t.comment(`seed ${random.seed}`)
t.setTimeout(400_000)

for (const place of places) {
  const name = `checkpoints in ${place.checkpoints}, a listener is killed`
  testOn(t, place.backend, name, 180_000, (t) => killOne(t, place))
}

async function killOne(t: Test, { backend, checkpoints, clear, open }: Place): Promise<void> {
  const installation = backend.create(t)
  t.teardown(() => clear(installation))
  const target = await TargetServer.start(answerOf)
  t.teardown(() => target.stop())
  const fleet = new Fleet(installation, { ...SETTINGS, checkpoints, natsUrl: NATS_URL })
  t.teardown(() => fleet.crash(fleet.members))
  await fleet.start(['accepter', ...LISTENERS])
  const traffic = new Traffic({ url: () => fleet.doorUrl, targetUrl: target.url, random, clients: 12, restMs: 200 })
  t.teardown(() => traffic.stop())

  await atWork(target, installation)
  const atMs = await fleet.crash(['listener-1'])
  const accepted = traffic.accepted.size
  await fleet.start(['listener-1'])
  await traffic.until(accepted + ACCEPTED_AFTER_KILL, 30_000)
  await atWork(target, installation)
  await traffic.stop()
  await checkEnds(t, { fleet, installation, target, traffic, fromMs: Date.now() + DEFERRED_MS_MAX })

  const { count, unexplained } = findRepeats(target, [{ atMs, seenMs: atMs + CLOSE_MS_MAX }], COMMIT_MS_MAX)
  t.strictSame(unexplained, [], 'only what was in flight at the kill, or had just ended, is called again')
  t.ok(count <= REPEATS_MAX, `${count} of ${target.arrivals.length} calls are repeats`)

  const store = await open(installation)
  t.teardown(() => store.close())
  const ends = await callEnds(installation)
  const saved = await Promise.all(
    ends.map((_, partition) => store.read(`${installation.prefix}.listeners/${partition}`)),
  )
  t.ok(Math.min(...ends) > 0, 'every partition had calls')
  t.strictSame(
    saved.map(({ beyond, offset }) => ({ beyond, offset })),
    ends.map((offset) => ({ beyond: [], offset })),
    'the store says of each partition that all of it is completed',
  )
  t.ok(
    saved.every(({ journal }) => journal.endsWith(' released')),
    'and that nobody works on it any more',
  )
}

/** A new listener has to wait until the dead one counts as dead. */
function atWork(target: TargetServer, { takeOverMs }: BrokerInstallation): Promise<void> {
  const before = target.arrivals.length
  return target.until(({ arrivals }) => arrivals.length >= before + CALLS_AT_WORK, takeOverMs + 30_000)
}

/** Where the partitions of `calls` end, in their order. */
async function callEnds({ prefix, settings: { kafkaBrokers = '' } }: BrokerInstallation): Promise<number[]> {
  const admin = new Kafka({ brokers: kafkaBrokers.split(','), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const partitions = await admin.fetchTopicOffsets(`${prefix}.calls`)
    return partitions.sort((a, b) => a.partition - b.partition).map(({ high }) => Number(high))
  } finally {
    await admin.disconnect()
  }
}
