import type { Log } from '@posthaste/core'
import type { Stream } from '@posthaste/stream'
import type { StreamHarness, StreamStorage } from '@posthaste/stream/contract'
import { type ConnectionOptions, connect, type NatsConnection, nuid } from 'nats'
import { NatsStream } from '../src/nats-stream.js'
import type { NatsStreamOptions } from '../src/options.js'

/** The server for tests; `npm test` starts one. */
export const SERVER = process.env.POSTHASTE_TEST_NATS_URL ?? ''
export const NO_SERVER =
  SERVER === '' ? 'set POSTHASTE_TEST_NATS_URL, or let `npm test` at the top level start a server' : false

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }
export const ACK_WAIT_MS = 2_000
const keepMuch = { ageMs: 3_600_000, bytes: 2 ** 30 }

export const natsHarness: StreamHarness = {
  promptMsMax: 600,
  waitMsMax: 20_000,
  deposes: false,
  create: async () => new NatsStorage(),
}

export function optionsFor(prefix: string, more: Partial<NatsStreamOptions> = {}): NatsStreamOptions {
  return { servers: SERVER, prefix, ackWaitMs: ACK_WAIT_MS, journalRetention: keepMuch, log: silent, ...more }
}

export function createPrefix(): string {
  return `test-${nuid.next()}`
}

/** Streams of one prefix. */
export class NatsStorage implements StreamStorage {
  readonly prefix = createPrefix()
  readonly #connections = new Map<Stream, NatsConnection[]>()
  readonly #more: Partial<NatsStreamOptions>

  constructor(more: Partial<NatsStreamOptions> = {}) {
    this.#more = more
  }

  open(): NatsStream {
    const connections: NatsConnection[] = []
    const stream = new NatsStream(
      optionsFor(this.prefix, {
        ...this.#more,
        connect: async (options: ConnectionOptions) => {
          const connection = await connect(options)
          connections.push(connection)
          return connection
        },
      }),
    )
    this.#connections.set(stream, connections)
    return stream
  }

  async crash(stream: Stream): Promise<void> {
    for (const connection of this.#connections.get(stream) ?? []) {
      // What was handed to the socket went out before; from now on nothing does.
      connection.publish = () => undefined
      await connection.close()
    }
    // Ends its timers. It waits for what will not come, so nobody waits for it.
    void stream.stop()
  }

  async destroy(): Promise<void> {
    await removeStreams(this.prefix)
  }
}

export async function removeStreams(prefix: string): Promise<void> {
  const connection = await connect({ servers: SERVER })
  const manager = await connection.jetstreamManager()
  const logs = ['calls', 'journal', 'control', 'claims'].map((log) => `${prefix}-${log}`)
  for (const name of [...logs, `KV_${prefix}-checkpoints`]) {
    await manager.streams.delete(name).catch(() => undefined)
  }
  await connection.close()
}
