import { setTimeout as sleep } from 'node:timers/promises'
import type { ErrorCode } from '@posthaste/core'
import type { Consumer, Delivery, NewTimer, Progress } from '../consumer.js'
import type { LogName, NewRecord, StoredRecord, Turn } from '../record.js'
import type { Followed, FollowOptions, Position, Stream, StreamHealth } from '../stream.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness, StreamStorage } from './harness.js'

export const GROUP = 'contract'
export const LOGS: readonly LogName[] = ['calls', 'journal', 'control', 'claims']
/** More than any test has: the number of records decides. */
export const BYTES_MAX = 2 ** 30
const RECORDS_MAX = 1_000
/** What a busy machine may add to anything. */
const SLOWNESS_MS = 3_000

/** What one test works with: a storage of its own, and the streams on it, which end with the test. */
export class Setting {
  readonly promptMsMax: number
  /** As `promptMsMax`, and no failure yet: a machine that is busy wakes threads late. */
  readonly slowMsMax: number
  readonly waitMsMax: number
  readonly storage: StreamStorage
  readonly #streams = new Set<Stream>()

  private constructor(harness: StreamHarness, storage: StreamStorage) {
    this.promptMsMax = harness.promptMsMax
    this.slowMsMax = harness.promptMsMax + SLOWNESS_MS
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

  /** Pulls until `count` records came that are still to be worked on; throws if they do not come in time. */
  async pull(consumer: Consumer, count: number, withinMs = this.waitMsMax): Promise<Delivery[]> {
    const untilMs = performance.now() + withinMs
    const deliveries: Delivery[] = []
    while (deliveries.length < count) {
      const waitMs = Math.max(0, untilMs - performance.now())
      const recordsMax = Math.min(RECORDS_MAX, count - deliveries.length)
      const pulled = await consumer.pull({ recordsMax, bytesMax: BYTES_MAX, waitMs })
      deliveries.push(...(await beginAll(pulled)))
      if (pulled.length === 0 && waitMs === 0) throw new Error(`${deliveries.length} of ${count} records came`)
    }
    return deliveries
  }

  /** Pulls for as long as anything comes that should not, and returns it. */
  async pullExcess(consumer: Consumer, forMs = this.promptMsMax): Promise<Delivery[]> {
    const untilMs = performance.now() + forMs
    for (;;) {
      const waitMs = Math.max(0, untilMs - performance.now())
      const pulled = await consumer.pull({ recordsMax: RECORDS_MAX, bytesMax: BYTES_MAX, waitMs })
      const excess = await beginAll(pulled)
      if (excess.length > 0 || pulled.length === 0) return excess
    }
  }

  /** Everything that stands in a log now. */
  async read(log: LogName, from: Position | 'start' = 'start'): Promise<StoredRecord[]> {
    const stream = await this.start()
    const records = await readAll(stream, log, from)
    await stream.stop()
    return records
  }

  /** Polls, for what a backend gives no signal of. */
  async until(what: string, isSo: () => Promise<boolean>, moreMs = 0): Promise<void> {
    const untilMs = performance.now() + this.waitMsMax + moreMs
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

/** Whether whoever goes on from a position has missed something. */
export async function isGapBehind(stream: Stream, log: LogName, from: Position): Promise<boolean> {
  for await (const { hasGap = false } of stream.follow(log, from, { untilEnd: true })) return hasGap
  return false
}

let turns = 0

/** A record of a turn of its own: of one turn there is nothing more than one thing. */
export function record(key: string, text = key): NewRecord {
  turns += 1
  return { key, generation: 2, attempt: turns, value: Buffer.from(text) }
}

/** The journal record that tells how the turn of a delivery ended. */
export function endOf({ record }: Delivery, text = 'ended'): NewRecord {
  return about(record, text)
}

/** A record of the journal that tells something of a turn. */
export function about(turn: Turn, text: string): NewRecord {
  return { ...turnOf(turn), value: Buffer.from(text) }
}

/** Resolves with the texts that come next. */
export async function nextTexts(follower: AsyncIterator<Followed>): Promise<string[]> {
  const next = await follower.next()
  return next.done ? [] : textsOf(next.value.records)
}

export function turnOf({ attempt = 1, generation = 1, key }: Turn): Turn {
  return { key, generation, attempt }
}

/** Leaves what is still to be worked on, as a listener does, and completes the rest. */
async function beginAll(deliveries: readonly Delivery[]): Promise<Delivery[]> {
  const begun = await Promise.all(deliveries.map((delivery) => delivery.begin(turnOf(delivery.record))))
  const isFresh = (index: number): boolean => begun[index] === 'fresh'
  await Promise.all(deliveries.filter((_, index) => !isFresh(index)).map((delivery) => delivery.complete()))
  return deliveries.filter((_, index) => isFresh(index))
}

/** `count` records of one key: they share a partition, so their order counts. */
export function recordsOfOneKey(count: number, prefix = ''): NewRecord[] {
  return Array.from({ length: count }, (_, index) => record('one-key', `${prefix}${index}`))
}

export function textOf({ value }: { readonly value: Uint8Array }): string {
  return Buffer.from(value).toString()
}

/** In an order of their own: where one owner takes over from another, or a backend keeps none. */
export function sortedTextsOf(found: readonly (StoredRecord | Delivery)[]): string[] {
  return textsOf(found).sort()
}

export function textsOf(found: readonly (StoredRecord | Delivery)[]): string[] {
  return found.map((each) => textOf('record' in each ? each.record : each))
}

/** Completes, and records it in the journal as a listener does: what is not recorded may come again after a crash. */
export async function completeAll(deliveries: readonly Delivery[]): Promise<void> {
  const completing = deliveries.map((delivery) => delivery.complete({ journal: [endOf(delivery)] }))
  for (const completed of await Promise.all(completing)) {
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

/** What stands in for a call that is checked out: the same turn, but what the listener makes of it. */
export function watchdogAt({ record }: Delivery, dueMs: number): NewTimer {
  return { ...turnOf(record), value: Buffer.from('watchdog'), dueMs }
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
