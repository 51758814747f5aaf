import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { PosthasteError } from '@posthaste/core'
import {
  type ISocketFactory,
  Kafka,
  type KafkaConfig,
  type LogEntry,
  logLevel,
  type RetryOptions,
  type SASLOptions,
} from 'kafkajs'
import type { Connections } from './connections.js'
import type { Settings, SslFiles } from './kafka-options.js'

const CONNECT_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 15_000

/** Whoever waits for an answer is told soon. */
const RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 2 }
const MEMBER_RETRIES = 120

/**
 * A member of a group goes on trying for two minutes: brokers that come back still know it, while a new member would
 * have to wait until the session of the old one is over. Once it `isOver` it tries once more at most: the library cannot
 * be told so, but before each try it compares with this number whether another may follow.
 */
export function memberRetry(isOver: () => boolean): RetryOptions {
  const retries = { valueOf: () => (isOver() ? 0 : MEMBER_RETRIES) }
  return { ...RETRY, retries: retries as unknown as number }
}

/** Makes clients of the cluster. */
export interface Clients {
  /** For requests that somebody waits for. */
  create(): Kafka
  /** For one member of a group: consumers of one client share what they know of their group's offsets. */
  createForMember(): Kafka
}

export function clientsOf(settings: Settings, connections: Connections): Clients {
  const config: KafkaConfig = { ...configOf(settings), socketFactory: connections.open as ISocketFactory }
  return {
    create: () => new Kafka({ ...config, retry: RETRY }),
    createForMember: () => new Kafka({ ...config, retry: memberRetry(() => connections.isClosed) }),
  }
}

function configOf({ brokers, log, prefix, sasl, ssl }: Settings): KafkaConfig {
  return {
    clientId: prefix,
    brokers: brokers
      .split(',')
      .map((broker) => broker.trim())
      .filter((broker) => broker !== ''),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    logLevel: logLevel.WARN,
    // What fails is told by whoever meets it, once: the library tells of each attempt.
    logCreator: () => (entry) => log.debug(fieldsOf(entry), entry.log.message),
    ...(ssl ? { ssl: ssl === true ? true : tlsOptions(ssl) } : {}),
    ...(sasl ? { sasl: sasl as SASLOptions } : {}),
  }
}

function fieldsOf({ log, namespace }: LogEntry): object {
  const { timestamp, message, stack, ...fields } = log
  return { ...fields, of: namespace }
}

function tlsOptions({ caFile, certFile, keyFile }: SslFiles): ConnectionOptions {
  return {
    ...(caFile ? { ca: [read(caFile)] } : {}),
    ...(certFile ? { cert: read(certFile) } : {}),
    ...(keyFile ? { key: read(keyFile) } : {}),
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new PosthasteError('stream-unfit', `A file for TLS cannot be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
