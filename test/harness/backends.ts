import { env } from 'node:process'
import { Kafka, logLevel } from 'kafkajs'
import { connect } from 'nats'
import type { Test } from 'tap'
import { type BrokerInstallation, type BrokerInstallationOptions, onKafka, onNats } from './broker-installation.js'
import { createEmbedded } from './embedded-installation.js'
import type { BackendName, Installation } from './installation.js'

/** A stream backend that a test runs on. */
export interface Backend<I extends Installation = Installation> {
  readonly name: BackendName
  /** What is missing here, in words; undefined if it can be tested. */
  readonly lacking: string | undefined
  /** Makes an installation that nobody else uses. It goes away when the test is over. */
  create(t: Test, options?: BrokerInstallationOptions): I
}

const { POSTHASTE_TEST_KAFKA_BROKERS: kafkaBrokers, POSTHASTE_TEST_NATS_URL: natsUrl } = env

export const embedded = {
  name: 'embedded',
  lacking: undefined,
  create: createEmbedded,
} satisfies Backend

export const nats: Backend<BrokerInstallation> = {
  name: 'nats',
  lacking: natsUrl ? undefined : 'a NATS server: POSTHASTE_TEST_NATS_URL is not set',
  create(t, options) {
    const installation = onNats(natsUrl as string, options)
    t.after(() => removeStreams(natsUrl as string, installation.prefix))
    return installation
  },
}

export const kafka: Backend<BrokerInstallation> = {
  name: 'kafka',
  lacking: kafkaBrokers ? undefined : 'a Kafka broker: POSTHASTE_TEST_KAFKA_BROKERS is not set',
  create(t, options) {
    const installation = onKafka(kafkaBrokers as string, options)
    t.after(() => removeTopics(kafkaBrokers as string, installation.prefix))
    return installation
  },
}

/** The backends that stand on a broker. */
export const brokers = [nats, kafka] as const

/** Declares a test of a backend, or says loudly what is missing for it. */
export function testOn<B extends Backend>(
  t: Test,
  backend: B,
  name: string,
  timeoutMs: number,
  test: (t: Test, backend: B) => Promise<void>,
  more: { readonly buffered?: boolean } = {},
): void {
  const { lacking } = backend
  if (lacking !== undefined) t.comment(`NOT TESTED, ${backend.name}: ${name}. Missing: ${lacking}.`)
  const options = { ...more, timeout: timeoutMs, skip: lacking === undefined ? false : `missing: ${lacking}` }
  void t.test(`${backend.name}: ${name}`, options, (t) => test(t, backend))
}

async function removeStreams(servers: string, prefix: string): Promise<void> {
  const connection = await connect({ servers })
  try {
    const manager = await connection.jetstreamManager()
    for await (const { config } of manager.streams.list()) {
      if (config.name.startsWith(`${prefix}-`)) await manager.streams.delete(config.name)
    }
  } finally {
    await connection.close()
  }
}

async function removeTopics(brokers: string, prefix: string): Promise<void> {
  const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(`${prefix}.`))
    if (topics.length > 0) await admin.deleteTopics({ topics })
  } finally {
    await admin.disconnect()
  }
}
