import { randomUUID } from 'node:crypto'
import { connect, Socket } from 'node:net'
import type { Log } from '@posthaste/core'
import type { Stream } from '@posthaste/stream'
import type { StreamHarness, StreamStorage } from '@posthaste/stream/contract'
import { Kafka, logLevel } from 'kafkajs'
import type { KafkaStreamOptions } from '../src/kafka-options.js'
import { KafkaStream } from '../src/kafka-stream.js'

/** Where a broker for tests listens; `npm test` starts one. */
export const brokers = process.env.POSTHASTE_TEST_KAFKA_BROKERS ?? ''
/** What a test says that is skipped. */
export const noBroker =
  brokers === '' && 'POSTHASTE_TEST_KAFKA_BROKERS is not set: `npm test` starts a broker and sets it'

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }
/** The shortest that the broker for tests allows is 1 s. */
export const SESSION_MS = 2_000

export const kafkaHarness: StreamHarness = {
  promptMsMax: 750,
  waitMsMax: 15_000,
  deposes: false,
  create: async () => new KafkaStorage(),
}

/** Topics with a prefix of their own. Two long lanes do: what waits for longer goes round in the last one. */
export class KafkaStorage implements StreamStorage {
  readonly prefix = `test-${randomUUID().slice(0, 8)}`
  readonly #lines = new Map<Stream, Line>()

  open(options: Partial<KafkaStreamOptions> = {}): KafkaStream {
    const line = new Line()
    const stream = new KafkaStream({ ...optionsFor(this.prefix), openSocket: line.open, ...options })
    this.#lines.set(stream, line)
    return stream
  }

  async crash(stream: Stream): Promise<void> {
    this.#lines.get(stream)?.cut()
    // Ends its timers. What it would say to the brokers does not reach them, so nobody waits for it.
    void stream.stop()
  }

  /** Cuts the connections of a stream, and mends them again. */
  cut(stream: Stream): void {
    this.#lines.get(stream)?.cut()
  }

  mend(stream: Stream): void {
    this.#lines.get(stream)?.mend()
  }

  /** Where the first partition of a topic begins that has been trimmed; 0 if none has. */
  async low(name: string): Promise<number> {
    const offsets = await withAdmin((admin) => admin.fetchTopicOffsets(`${this.prefix}.${name}`))
    return Math.max(...offsets.map(({ low }) => Number(low)))
  }

  async destroy(): Promise<void> {
    await withAdmin(async (admin) => {
      const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(`${this.prefix}.`))
      if (topics.length > 0) await admin.deleteTopics({ topics })
    })
  }
}

export function optionsFor(prefix: string): KafkaStreamOptions {
  return {
    brokers,
    prefix,
    partitions: 4,
    timerPartitions: 1,
    timerLanes: 2,
    journalRetention: { ageMs: 3_600_000, bytes: 2 ** 40 },
    sessionTimeoutMs: SESSION_MS,
    commitEveryMs: 200,
    trimEveryMs: 500,
    log: process.env.POSTHASTE_TEST_VERBOSE ? loud : silent,
  }
}

const loud: Log = {
  debug() {},
  info: (fields, message) => console.error('info', message, fields),
  warn: (fields, message) => console.error('warn', message, fields),
  error: (fields, message) => console.error('error', message, fields),
}

export type TestAdmin = ReturnType<Kafka['admin']>

export async function withAdmin<T>(work: (admin: TestAdmin) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}

/** Creates a topic as others may do. The library, if it is to wait, fails where a broker does not know of it at once. */
export async function createTopic(
  topic: string,
  numPartitions: number,
  config: Readonly<Record<string, string>> = {},
): Promise<void> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await withAdmin(async (admin) => {
    await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions, configEntries }] })
    while (!(await admin.listTopics()).includes(topic));
  })
}

/** The connections of one stream or store, which can be cut all at once. */
export class Line {
  /** How many there have been. */
  opened = 0
  readonly #sockets = new Set<Socket>()
  #isCut = false

  readonly open = ({ host, onConnect, port }: { host: string; port: number; onConnect: () => void }): Socket => {
    if (this.#isCut) {
      const none = new Socket()
      setImmediate(() => none.destroy(new Error('the line is cut')))
      return none
    }
    this.opened += 1
    const socket = connect({ host, port }, onConnect)
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    return socket
  }

  mend(): void {
    this.#isCut = false
  }

  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.destroy(new Error('the line is cut'))
  }
}
