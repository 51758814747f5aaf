import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EgressPolicy, type Log, systemClock } from '@posthaste/core'
import { Environment, LmdbCheckpointStore } from '@posthaste/storage'
import type { LogName, NewRecord, StoredRecord, Stream } from '@posthaste/stream'
import { EmbeddedStream } from '@posthaste/stream-embedded'
import type { Test } from 'tap'
import { Accepter, type AccepterOptions } from '../src/index.js'

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Nothing is called, and targets of every kind are named. */
const LOOPBACK = new EgressPolicy({ allowAddresses: ['127.0.0.0/8', '::1'], ports: ['1-65535'] })

export const RECORD_BYTES_MAX = 16 * 1024

export interface Running {
  readonly accepter: Accepter
  readonly url: string
  readonly port: number
}

/** An accepter on a free port. Without options it has a door to nowhere behind `/invocations`. */
export async function startAccepter(t: Test, options: Partial<AccepterOptions> = {}): Promise<Running> {
  const accepter = new Accepter({
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    log: silent,
    connectionsMax: 1_000,
    egress: LOOPBACK,
    readiness: async () => ({ ready: true, reasons: [] }),
    invocations: { recordBytesMax: RECORD_BYTES_MAX, append: async () => {} },
    ...options,
  })
  t.teardown(() => accepter.stop())
  const url = await accepter.start()
  return { accepter, url, port: Number(new URL(url).port) }
}

/** Two stream objects on one data directory: what one took, the other reads. */
export async function openStreams(t: Test): Promise<{ stream: Stream; other: Stream }> {
  const directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  const environment = new Environment({ directory, reserveBytes: 0 })
  const open = (): Stream =>
    new EmbeddedStream({
      environment,
      checkpoints: new LmdbCheckpointStore(environment),
      journalRetention: { ageMs: 3_600_000, bytes: 2 ** 40 },
      log: silent,
    })
  const [stream, other] = [open(), open()]
  await Promise.all([stream.start(), other.start()])
  t.teardown(async () => {
    await Promise.all([stream.stop(), other.stop()])
    await environment.close()
    rmSync(directory, { recursive: true })
  })
  return { stream, other }
}

export async function readCalls(stream: Stream): Promise<StoredRecord[]> {
  const read: StoredRecord[] = []
  for await (const { records } of stream.follow('calls', 'start', { untilEnd: true })) read.push(...records)
  return read
}

/** A door that keeps what is appended, and counts how often that was asked for. */
export class Notebook {
  readonly recordBytesMax = RECORD_BYTES_MAX
  readonly appends: (readonly NewRecord[])[] = []

  async append(_: LogName, records: readonly NewRecord[]): Promise<void> {
    this.appends.push(records)
  }
}

/** Something that happens once. */
export function signal(): { readonly given: Promise<void>; give(): void } {
  let give = (): void => {}
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give }
}

export const TARGET = 'http://127.0.0.1:9/'
export const JSON_TYPE = { 'content-type': 'application/json' }

export function post(
  url: string,
  body: unknown = { target: TARGET },
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/invocations`, {
    method: 'POST',
    headers: { ...JSON_TYPE, ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  })
}

/** What comes back for these bytes on a connection of its own, until the server closes it. */
export async function exchangeRaw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text
  })
  socket.write(bytes)
  await closed(socket)
  return answer
}

/** Resolves when a connection is closed, be it by an error: who is cut off while he sends gets one. */
export function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {})
  return new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}

/** The parts of a raw HTTP answer. */
export function parseRaw(answer: string): { status: number; headers: string; body: string } {
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), headers: head.toLowerCase(), body }
}
