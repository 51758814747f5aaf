import { setTimeout as sleep } from 'node:timers/promises'
import type { ErrorCode } from '@posthaste/core'
import type { Consumer, Delivery, NewTimer, Progress } from '../consumer.js'
import type { LogName, StoredRecord } from '../record.js'
import type { FollowOptions, Position, Stream, StreamHealth } from '../stream.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness, StreamStorage } from './harness.js'

export const GROUP = 'contract'
/** More than any test has: the number of records decides. */
export const BYTES_MAX = 2 ** 30
const RECORDS_MAX = 1_000

/** What one test works with: a storage of its own, and the streams on it, which end with the test. */
export class Setting {
  readonly promptMsMax: number
  readonly waitMsMax: number
  readonly storage: StreamStorage
  readonly #streams = new Set<Stream>()

  private constructor(harness: StreamHarness, storage: StreamStorage) {
    this.promptMsMax = harness.promptMsMax
    this.waitMsMax = harness.waitMsMax
    this.storage = storage
  }

  static async make(t: ContractTest, harness: StreamHarness): Promise<Setting> {
    const setting = new Setting(harness, await harness.create())
    t.teardown(() => setting.#end())
    return setting
  }

  /** A stream that was not started. */
  open(): Stream {
    const stream = this.storage.open()
    this.#streams.add(stream)
    return stream
  }

  async start(): Promise<Stream> {
    const stream = this.open()
    await stream.start()
    return stream
  }

  async crash(stream: Stream): Promise<void> {
    this.#streams.delete(stream)
    await this.storage.crash(stream)
  }

  /** Pulls until `count` records came; throws if they do not come in time. */
  async pull(consumer: Consumer, count: number, withinMs = this.waitMsMax): Promise<Delivery[]> {
    const untilMs = performance.now() + withinMs
    const deliveries: Delivery[] = []
    while (deliveries.length < count) {
      const waitMs = Math.max(0, untilMs - performance.now())
      const recordsMax = Math.min(RECORDS_MAX, count - deliveries.length)
      const pulled = await consumer.pull({ recordsMax, bytesMax: BYTES_MAX, waitMs })
      deliveries.push(...pulled)
      if (pulled.length === 0 && waitMs === 0) throw new Error(`${deliveries.length} of ${count} records came`)
    }
    return deliveries
  }

  /** Pulls for as long as anything comes that should not, and returns it. */
  async pullExcess(consumer: Consumer, forMs = this.promptMsMax): Promise<Delivery[]> {
    return consumer.pull({ recordsMax: RECORDS_MAX, bytesMax: BYTES_MAX, waitMs: forMs })
  }

  /** Everything that stands in a log now. */
  async read(log: LogName, from: Position | 'start' = 'start'): Promise<StoredRecord[]> {
    const stream = await this.start()
    const records = await readAll(stream, log, from)
    await stream.stop()
    return records
  }

  /** Polls, for what a backend gives no signal of. */
  async until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const untilMs = performance.now() + this.waitMsMax
    while (!(await isSo())) {
      if (performance.now() > untilMs) throw new Error(`it did not come to pass that ${what}`)
      await sleep(10)
    }
  }

  async #end(): Promise<void> {
    await Promise.all([...this.#streams].map((stream) => stream.stop()))
    await this.storage.destroy()
  }
}

export async function readAll(
  stream: Stream,
  log: LogName,
  from: Position | 'start' = 'start',
  options: FollowOptions = { untilEnd: true },
): Promise<StoredRecord[]> {
  const all: StoredRecord[] = []
  for await (const { records } of stream.follow(log, from, options)) all.push(...records)
  return all
}

export function record(key: string, text = key): { key: string; value: Uint8Array } {
  return { key, value: Buffer.from(text) }
}

/** `count` records of one key: they share a partition, so their order counts. */
export function recordsOfOneKey(count: number, prefix = ''): { key: string; value: Uint8Array }[] {
  return Array.from({ length: count }, (_, index) => record('one-key', `${prefix}${index}`))
}

export function textOf({ value }: { readonly value: Uint8Array }): string {
  return Buffer.from(value).toString()
}

export function textsOf(found: readonly (StoredRecord | Delivery)[]): string[] {
  return found.map((each) => textOf('record' in each ? each.record : each))
}

export async function completeAll(deliveries: readonly Delivery[]): Promise<void> {
  for (const completed of await Promise.all(deliveries.map((delivery) => delivery.complete()))) {
    if (completed !== 'done') throw new Error(`a completion was ${completed}`)
  }
}

/** The progress of the partition in which `delivery` stands. */
export async function progressOf(consumer: Consumer, { record }: Delivery): Promise<Progress> {
  const progress = (await consumer.progress()).find(({ partition }) => partition === record.partition)
  if (!progress) throw new Error(`no progress is told of partition ${record.partition}`)
  return progress
}

export function reasonOf(health: StreamHealth): string {
  return health.ready ? '' : health.reason
}

/** Resolves with the result and how long it took from now. */
export async function timed<T>(promise: Promise<T>): Promise<[result: T, tookMs: number]> {
  const startedMs = performance.now()
  const result = await promise
  return [result, performance.now() - startedMs]
}

/** What a promise rejects with that a stream rejects. */
export function failure(code: ErrorCode): { name: string; code: ErrorCode } {
  return { name: 'PosthasteError', code }
}

/** What stands in for a call that is checked out: not the record itself, but what the listener makes of it. */
export function watchdogAt(dueMs: number): NewTimer {
  return { ...record('one-key', 'watchdog'), dueMs }
}

/** Resolves with what `promise` does, or with `undefined` if that takes too long. */
export async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T | undefined> {
  const abort = new AbortController()
  const timeout = sleep(timeoutMs, undefined, { signal: abort.signal }).catch(() => undefined)
  try {
    return await Promise.race([promise, timeout])
  } finally {
    abort.abort()
  }
}
