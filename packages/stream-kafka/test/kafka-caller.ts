import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer, Delivery, NewTimer, Stream } from '@posthaste/stream'
import { endOf, GROUP, record } from './kafka-calls.js'
import type { KafkaStorage } from './kafka-harness.js'

/** As the dispatcher looks after what runs. */
const SWEEP_MS = 50
const CHILD = 'child of '

/** What all members of a group have seen. */
export class Seen {
  /** How often each was called, and what follows from it came, by key. */
  readonly called = new Map<string, number>()
  readonly children = new Map<string, number>()
  /** Calls that a member gave up, since it could not tell the next owner in time, or that another was known to have ended. */
  readonly lost = new Set<string>()
  /** How many calls were checked out in time, and how long that took after they were to be. */
  readonly checkOutMs: number[] = []
  /** When the last watchdog is due. */
  dueMs = 0

  add(map: Map<string, number>, key: string): void {
    map.set(key, (map.get(key) ?? 0) + 1)
  }
}

/** A member of the group whose calls take a while, and are checked out when another is to have their partition. */
export class Caller {
  readonly stream: Stream
  readonly consumer: Consumer
  readonly #callMs: number
  readonly #seen: Seen
  readonly #running = new Set<Delivery>()
  readonly #calls = new Set<Promise<void>>()
  readonly #pulling: Promise<void>
  readonly #sweeper: NodeJS.Timeout
  #isStopping = false

  static async start(storage: KafkaStorage, callMs: number, seen: Seen): Promise<Caller> {
    const stream = storage.open()
    await stream.start()
    return new Caller(stream, await stream.consume(GROUP), callMs, seen)
  }

  private constructor(stream: Stream, consumer: Consumer, callMs: number, seen: Seen) {
    this.stream = stream
    this.consumer = consumer
    this.#callMs = callMs
    this.#seen = seen
    this.#pulling = this.#pull()
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS)
  }

  async owns(): Promise<number> {
    return (await this.consumer.progress()).filter(({ owner }) => owner === 'this').length
  }

  /** Whether nothing is left to do for the partitions that it owns. */
  async isDone(): Promise<boolean> {
    const own = (await this.consumer.progress()).filter(({ owner }) => owner === 'this')
    return own.every(({ committed, end, overdue }) => committed === end && !overdue)
  }

  /** Lets what runs end. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#pulling
    await Promise.all(this.#calls)
    clearInterval(this.#sweeper)
    await this.stream.stop()
  }

  async #pull(): Promise<void> {
    while (!this.#isStopping) {
      for (const delivery of await this.consumer.pull({ recordsMax: 100, bytesMax: 1e9, waitMs: 100 })) {
        const call = this.#work(delivery).finally(() => this.#calls.delete(call))
        this.#calls.add(call)
      }
    }
  }

  async #work(delivery: Delivery): Promise<void> {
    const { key } = delivery.record
    const begun = await delivery.begin(delivery.record)
    if (begun === 'copy') await delivery.complete()
    else if (begun !== 'fresh') await delivery.complete({ again: true, children: [record(CHILD + key)] })
    else if (!key.startsWith(CHILD)) await this.#call(delivery)
    else {
      this.#seen.add(this.#seen.children, key.slice(CHILD.length))
      await delivery.complete({ journal: [endOf(delivery)] })
    }
  }

  async #call(delivery: Delivery): Promise<void> {
    const { key } = delivery.record
    this.#seen.add(this.#seen.called, key)
    this.#running.add(delivery)
    await sleep(this.#callMs, undefined, { signal: delivery.lost }).catch(() => undefined)
    this.#running.delete(delivery)
    const completed = await delivery.complete({ journal: [endOf(delivery)], children: [record(CHILD + key)] })
    if (completed === 'lost') this.#seen.lost.add(key)
  }

  #sweep(): void {
    for (const delivery of this.#running) {
      if (!delivery.leaving) continue
      this.#running.delete(delivery)
      void this.#checkOut(delivery)
    }
  }

  async #checkOut(delivery: Delivery): Promise<void> {
    const startedMs = performance.now()
    const watchdog = watchdogFor(delivery, this.#callMs + 5_000)
    this.#seen.dueMs = watchdog.dueMs
    if ((await delivery.checkOut(watchdog)) === 'done') this.#seen.checkOutMs.push(performance.now() - startedMs)
  }
}

export function watchdogFor({ record }: Delivery, inMs: number): NewTimer {
  return { ...record, dueMs: Date.now() + inMs }
}
