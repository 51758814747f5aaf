import { type Log, PosthasteError } from '@posthaste/core'
import type { KafkaStreamOptions } from '@posthaste/stream-kafka'
import type { NatsStreamOptions } from '@posthaste/stream-nats'
import type { Config } from './table.js'

/**
 * What the configuration says to the Kafka stream.
 * @throws PosthasteError `invalid-configuration`
 */
export function kafkaOptions(config: Config, log: Log): KafkaStreamOptions {
  return {
    brokers: config.kafkaBrokers,
    prefix: config.prefix,
    partitions: config.kafkaPartitions,
    timerPartitions: config.kafkaTimerPartitions,
    ...(config.kafkaReplicas > 0 && { replicas: config.kafkaReplicas }),
    ...(config.kafkaMinInsyncReplicas > 0 && { minInsyncReplicas: config.kafkaMinInsyncReplicas }),
    sessionTimeoutMs: config.kafkaSessionTimeout,
    journalRetention: retentionOf(config),
    claimRetentionMs: config.claimAge,
    ...(config.kafkaTls === 'on' && {
      ssl: filesOf({ caFile: config.kafkaTlsCa, certFile: config.kafkaTlsCert, keyFile: config.kafkaTlsKey }),
    }),
    ...(config.kafkaSasl !== 'off' && {
      sasl: { mechanism: config.kafkaSasl, username: config.kafkaUsername, password: passwordOf(config) },
    }),
    log,
  }
}

/** What the configuration says to the NATS stream, and to checkpoints in NATS. */
export function natsOptions(config: Config, log: Log): NatsStreamOptions {
  const { natsCredentials, natsTlsCa, natsTlsCert, natsTlsKey } = config
  const tls = filesOf({ caFile: natsTlsCa, certFile: natsTlsCert, keyFile: natsTlsKey })
  return {
    servers: config.natsUrl,
    prefix: config.prefix,
    replicas: config.natsReplicas,
    ackWaitMs: config.natsAckWait,
    journalRetention: retentionOf(config),
    claimRetentionMs: config.claimAge,
    ...(natsCredentials !== '' && { credentials: natsCredentials }),
    ...(Object.keys(tls).length > 0 && { tls }),
    log,
  }
}

function retentionOf({ journalAge, journalSize }: Config): { ageMs: number; bytes: number } {
  return { ageMs: journalAge, bytes: journalSize }
}

/** Those that are given. */
function filesOf<K extends string>(files: Readonly<Record<K, string>>): Partial<Record<K, string>> {
  return Object.fromEntries(Object.entries(files).filter(([, file]) => file !== '')) as Partial<Record<K, string>>
}

function passwordOf({ kafkaPassword, kafkaSasl, kafkaUsername }: Config): string {
  if (kafkaUsername === '' || kafkaPassword === '') {
    const detail = `POSTHASTE_KAFKA_SASL is ${kafkaSasl}: it needs POSTHASTE_KAFKA_USERNAME and POSTHASTE_KAFKA_PASSWORD.`
    throw new PosthasteError('invalid-configuration', detail)
  }
  return kafkaPassword
}
