import type { Consumer, Delivery, LogName, NewRecord, Stream, Turn } from '@posthaste/stream'
import { type ConnectionOptions, connect, type NatsConnection } from 'nats'
import { NatsStream } from '../src/nats-stream.js'
import type { NatsStreamOptions } from '../src/options.js'
import { createPrefix, optionsFor, removeStreams } from './nats-harness.js'

export const GROUP = 'listeners'

/** What tap's `t` does after a test. */
interface Test {
  teardown(after: () => Promise<void>): unknown
}

/** Streams of one prefix on the server for tests, which are stopped and removed after the test. */
export class Streams {
  readonly prefix = createPrefix()
  readonly #streams: NatsStream[] = []

  constructor(t: Test) {
    t.teardown(async () => {
      await Promise.all(this.#streams.map((stream) => stream.stop()))
      await removeStreams(this.prefix)
    })
  }

  async start(more: Partial<NatsStreamOptions> = {}): Promise<NatsStream> {
    const stream = new NatsStream(optionsFor(this.prefix, more))
    this.#streams.push(stream)
    await stream.start()
    return stream
  }
}

export function record(key: string, text = key, turn: Partial<Turn> = {}): NewRecord {
  return { key, ...turn, value: Buffer.from(text) }
}

export function textOf({ value }: { readonly value: Uint8Array }): string {
  return Buffer.from(value).toString()
}

/** Pulls until `count` records came. */
export async function pull(consumer: Consumer, count: number, withinMs = 10_000): Promise<Delivery[]> {
  const untilMs = performance.now() + withinMs
  const all: Delivery[] = []
  while (all.length < count) {
    const waitMs = untilMs - performance.now()
    if (waitMs <= 0) throw new Error(`${all.length} of ${count} records came`)
    all.push(...(await consumer.pull({ recordsMax: count - all.length, bytesMax: 2 ** 30, waitMs })))
  }
  return all
}

export async function pullOne(consumer: Consumer, withinMs?: number): Promise<Delivery> {
  return (await pull(consumer, 1, withinMs))[0] as Delivery
}

/** What comes that should not. */
export async function excess(consumer: Consumer, forMs: number): Promise<string[]> {
  const found = await consumer.pull({ recordsMax: 100, bytesMax: 2 ** 30, waitMs: forMs })
  return found.map(({ record }) => textOf(record))
}

export async function readAll(stream: Stream, log: LogName): Promise<string[]> {
  const texts: string[] = []
  for await (const { records } of stream.follow(log, 'start', { untilEnd: true })) texts.push(...records.map(textOf))
  return texts
}

/** Connects with a look at everything that is published: `false` holds it back, a text is published instead. */
export function connectWith(
  look: (subject: string, data: string, connection: NatsConnection) => boolean | string,
): (options: ConnectionOptions) => Promise<NatsConnection> {
  return async (options) => {
    const connection = await connect(options)
    const publish = connection.publish.bind(connection)
    connection.publish = (subject, data, more) => {
      const seen = look(subject, Buffer.from((data as Uint8Array) ?? '').toString('latin1'), connection)
      if (seen) publish(subject, typeof seen === 'string' ? seen : data, more)
    }
    return connection
  }
}

/** A direct get of what is far behind the end: the answer is that of a replica that lags. */
export function askTooFar(query: string): string {
  return JSON.stringify({ ...JSON.parse(query), seq: 1_000_000 })
}

/** Holds the event loop up, as a frozen process does. */
export function freeze(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs)
}
