import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Call,
  type Clock,
  createId,
  DEFAULT_RETRY_POLICY,
  decodeJournalEntry,
  EgressPolicy,
  encodeCall,
  type InstructionInput,
  isFinalState,
  type JournalEntry,
  type Log,
  parseInstruction,
  systemClock,
} from '@posthaste/core'
import { Environment, LmdbCheckpointStore, type Table } from '@posthaste/storage'
import type { Consumer, Delivery, Stream } from '@posthaste/stream'
import { EmbeddedStream } from '@posthaste/stream-embedded'
import type { Test } from 'tap'
import { type ControlLog, Listener, type ListenerOptions } from '../src/index.js'

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Where the targets of the tests are. */
export const LOOPBACK = new EgressPolicy({ allowAddresses: ['127.0.0.0/8', '::1'], ports: ['1-65535'] })

const END_MS_MAX = 60_000
const KEPT_MS = 600_000

/** A data directory, with a stream on it for each who asks. */
export class Storage {
  readonly #directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  readonly #environment = new Environment({ directory: this.#directory, reserveBytes: 0 })
  readonly #streams: Stream[] = []
  readonly #clock: Clock

  constructor(clock = systemClock) {
    this.#clock = clock
  }

  async open(): Promise<Stream> {
    const stream = new EmbeddedStream({
      environment: this.#environment,
      checkpoints: new LmdbCheckpointStore(this.#environment),
      journalRetention: { ageMs: 3_600_000, bytes: 2 ** 40 },
      clock: this.#clock,
      log: silent,
    })
    this.#streams.push(stream)
    await stream.start()
    return stream
  }

  /** Whoever owns the calls is treated as if it had said nothing for long: another may take them. */
  async depose(): Promise<void> {
    const leases: Table<string> = this.#environment.table('leases')
    await this.#environment.commit(() => {
      for (const { key, value } of [...leases.getRange()]) {
        leases.putSync(key, Buffer.from(JSON.stringify({ ...JSON.parse(value.toString()), expiresAtMs: 0 })))
      }
    })
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#streams.map((stream) => stream.stop()))
    await this.#environment.close()
    rmSync(this.#directory, { recursive: true })
  }
}

export interface Running {
  readonly storage: Storage
  readonly stream: Stream
  readonly consumer: Consumer
  readonly listener: Listener
}

export function listenerOptions(consumer: Consumer, control: ControlLog): ListenerOptions {
  return {
    consumer,
    control,
    name: 'test',
    clock: systemClock,
    log: silent,
    schedule: undefined,
    lingerMs: 60_000,
    batchRecords: 500,
    concurrency: 512,
    concurrencyPerTarget: 64,
    ratePerTarget: 0,
    burstPerTarget: 10,
    breakerFailures: 10,
    timeoutMs: 10_000,
    egress: LOOPBACK,
    retry: { ...DEFAULT_RETRY_POLICY, maxAttempts: 1 },
    responseBytesMax: 64 * 1024,
    recordBytesMax: 1024 * 1024,
    logAttempts: 'failed',
  }
}

/** A listener that nothing triggers but pings, and that lingers for long. */
export async function startListener(
  t: Test,
  options: Partial<ListenerOptions> = {},
  storage = createStorage(t),
  seenThrough: (consumer: Consumer) => Consumer = (consumer) => consumer,
): Promise<Running> {
  const stream = await storage.open()
  const consumer = seenThrough(await stream.consume('listeners', { member: 'test' }))
  const listener = new Listener({ ...listenerOptions(consumer, stream), ...options })
  t.teardown(async () => {
    await listener.stop(0)
    await consumer.stop()
  })
  await listener.start()
  return { storage, stream, consumer, listener }
}

/** A consumer whose deliveries are what `change` makes of them. */
export function changing(consumer: Consumer, change: (delivery: Delivery) => Delivery): Consumer {
  return {
    pull: async (options) => (await consumer.pull(options)).map(change),
    act: (turn, effects) => consumer.act(turn, effects),
    progress: () => consumer.progress(),
    stop: () => consumer.stop(),
  }
}

/** The same delivery as a plain object. */
export function plain(delivery: Delivery): Delivery {
  return {
    record: delivery.record,
    lost: delivery.lost,
    leaving: delivery.leaving,
    held: () => delivery.held(),
    begin: (turn) => delivery.begin(turn),
    complete: (effects) => delivery.complete(effects),
    checkOut: (watchdog, notes) => delivery.checkOut(watchdog, notes),
  }
}

export function createStorage(t: Test, clock?: Clock): Storage {
  const storage = new Storage(clock)
  t.teardown(() => storage.destroy())
  return storage
}

/** Puts instructions on the stream as an accepter would. */
export async function submit(
  stream: Stream,
  instructions: readonly InstructionInput[],
  also: Partial<Call> = {},
): Promise<Call[]> {
  const nowMs = Date.now()
  const calls = instructions.map((instruction): Call => {
    const content = parseInstruction(instruction, nowMs)
    return {
      id: createId(nowMs),
      generation: 1,
      attempt: 1,
      acceptedAtMs: nowMs,
      depth: 0,
      method: 'POST',
      ...content,
      ...also,
    }
  })
  await stream.append(
    'calls',
    calls.map((call) => ({ key: call.id, value: encodeCall(call) })),
  )
  return calls
}

/** The journal up to now. */
export async function readJournal(stream: Stream): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = []
  for await (const { records } of stream.follow('journal', 'start', { untilEnd: true })) {
    entries.push(...records.map(({ value }) => decodeJournalEntry(value)))
  }
  return entries
}

/** Waits until the journal has `count` final states and returns them. */
export async function finalStates(stream: Stream, count: number): Promise<JournalEntry[]> {
  const finals: JournalEntry[] = []
  const signal = AbortSignal.timeout(END_MS_MAX)
  for await (const { records } of stream.follow('journal', 'start', { signal })) {
    const entries = records.map(({ value }) => decodeJournalEntry(value))
    finals.push(...entries.filter(({ state }) => isFinalState(state)))
    if (finals.length >= count) return finals
  }
  throw new Error(`${finals.length} of ${count} invocations ended`)
}

/** Triggers the listener, submits one instruction and returns how it ended. */
export async function runOne(
  { listener, stream }: Running,
  instruction: InstructionInput,
  also?: Partial<Call>,
): Promise<JournalEntry> {
  await listener.ping('ping', 0)
  const [call] = await submit(stream, [instruction], also)
  const before = (await readJournal(stream)).filter(({ state }) => isFinalState(state)).length
  const finals = await finalStates(stream, before + 1)
  const own = finals.find(({ id }) => id === call?.id)
  return own ?? ((await finalStates(stream, before + 2)).find(({ id }) => id === call?.id) as JournalEntry)
}

/** Waits until something is so, and fails after a while. */
export async function until(condition: () => boolean | Promise<boolean>, msMax = END_MS_MAX): Promise<void> {
  const startedMs = performance.now()
  while (!(await condition())) {
    if (performance.now() - startedMs > msMax) throw new Error(`still not so: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export interface Seen {
  readonly method: string
  readonly url: string
  /** As they came: names and values in turn. */
  readonly rawHeaders: readonly string[]
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  readonly atMs: number
}

export interface TargetServer {
  readonly url: string
  readonly seen: Seen[]
  readonly sockets: ReadonlySet<Socket>
  /** How many requests it has that it has not answered. */
  readonly open: () => number
  readonly openMax: () => number
}

export type Answer = (seen: Seen, response: ServerResponse, request: IncomingMessage) => unknown

/** An HTTP server to call. It notes what comes, and says 200 if it is not told what to answer. */
export async function startTarget(t: Test, answer: Answer = (_, response) => response.end()): Promise<TargetServer> {
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  let open = 0
  let openMax = 0
  const server = createServer(async (request, response) => {
    open += 1
    openMax = Math.max(openMax, open)
    response.once('close', () => {
      open -= 1
    })
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      return
    }
    const { method = '', url = '', rawHeaders, headers } = request
    const one = { method, url, rawHeaders, headers, body: Buffer.concat(chunks), atMs: Date.now() }
    seen.push(one)
    await answer(one, response, request)
  })
  // None is closed but by the listener: the client library heeds it, too.
  server.keepAliveTimeout = KEPT_MS
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: urlOf(server.address()), seen, sockets, open: () => open, openMax: () => openMax }
}

/** A TCP server that does what it is told once a request has begun to come. */
export async function startTcpTarget(t: Test, react: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => react(socket))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return urlOf(server.address())
}

function urlOf(address: AddressInfo | string | null): string {
  return `http://127.0.0.1:${(address as AddressInfo).port}`
}
