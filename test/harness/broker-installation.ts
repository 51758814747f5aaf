import { randomBytes } from 'node:crypto'
import type { Stream } from '@posthaste/stream'
import { KafkaStream } from '@posthaste/stream-kafka'
import { NatsStream } from '@posthaste/stream-nats'
import { type Installation, type OpenStream, silent } from './installation.js'
import type { Settings } from './posthaste-process.js'
import { directoryOfProcess } from './temporary-directory.js'

/** An installation on a broker that others may use too: its prefix keeps it apart. */
export interface BrokerInstallation extends Installation {
  readonly backend: 'nats' | 'kafka'
  readonly prefix: string
  /** After so long a listener that is dead counts as dead. */
  readonly takeOverMs: number
}

/** Listeners have to notice the death of another in a test's time. A Kafka broker, as it comes, allows no less. */
export const TAKE_OVER_MS = 6_000
const KAFKA_PARTITIONS = 6
const KAFKA_TIMER_PARTITIONS = 2
/** NATS sets so much aside for each installation. */
const JOURNAL_BYTES = 256 * 1024 * 1024
const JOURNAL_AGE_MS = 24 * 3_600_000
const RETENTION = { ageMs: JOURNAL_AGE_MS, bytes: JOURNAL_BYTES }
/** The same, for the processes: a stream on a broker is set up by whoever comes first, or last. */
const RETENTION_SETTINGS: Settings = { journalAge: `${JOURNAL_AGE_MS}ms`, journalSize: String(JOURNAL_BYTES) }

export interface BrokerInstallationOptions {
  readonly takeOverMs?: number
  /** Of NATS. */
  readonly replicas?: number
}

export function onKafka(brokers: string, options: BrokerInstallationOptions = {}): BrokerInstallation {
  const { takeOverMs = TAKE_OVER_MS } = options
  const prefix = createPrefix()
  const settings: Settings = {
    ...RETENTION_SETTINGS,
    stream: 'kafka',
    dataDir: directoryOfProcess(),
    kafkaBrokers: brokers,
    prefix,
    kafkaPartitions: String(KAFKA_PARTITIONS),
    kafkaTimerPartitions: String(KAFKA_TIMER_PARTITIONS),
    kafkaSessionTimeout: `${takeOverMs}ms`,
  }
  const create = (): Stream =>
    new KafkaStream({
      brokers,
      prefix,
      partitions: KAFKA_PARTITIONS,
      timerPartitions: KAFKA_TIMER_PARTITIONS,
      journalRetention: RETENTION,
      log: silent,
    })
  return { backend: 'kafka', prefix, settings, takeOverMs, open: () => open(create()) }
}

export function onNats(url: string, options: BrokerInstallationOptions = {}): BrokerInstallation {
  const { replicas = 1, takeOverMs = TAKE_OVER_MS } = options
  const prefix = createPrefix()
  const settings: Settings = {
    ...RETENTION_SETTINGS,
    stream: 'nats',
    dataDir: directoryOfProcess(),
    natsUrl: url,
    prefix,
    natsReplicas: String(replicas),
    natsAckWait: `${takeOverMs}ms`,
  }
  const create = (): Stream =>
    new NatsStream({ servers: url, prefix, replicas, journalRetention: RETENTION, log: silent })
  return { backend: 'nats', prefix, settings, takeOverMs, open: () => open(create()) }
}

async function open(stream: Stream): Promise<OpenStream> {
  const close = (): Promise<void> => stream.stop()
  try {
    await stream.start()
  } catch (error) {
    await close()
    throw error
  }
  return { stream, close }
}

function createPrefix(): string {
  return `test-${randomBytes(6).toString('hex')}`
}
