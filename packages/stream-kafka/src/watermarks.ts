import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import { isMoving } from './kafka-errors.js'

/** A leader that has moved, or is new, is found within this many attempts. */
const ATTEMPTS_MAX = 10
const RETRY_MS = 100

export interface Watermark {
  /** Offset of the first record that is there. */
  readonly low: number
  /** Where the next record will stand. */
  readonly high: number
}

/** By partition. */
export type Marks = ReadonlyMap<number, Watermark>

/** Asks where the partitions of topics begin and end. Those who ask at one time share a request. */
export class Watermarks {
  readonly #admin: Admin
  readonly #running = new Map<string, Promise<unknown>>()
  readonly #next = new Map<string, Promise<Marks>>()

  constructor(admin: Admin) {
    this.#admin = admin
  }

  /** The answer is not older than the question. */
  of(topic: string): Promise<Marks> {
    let next = this.#next.get(topic)
    if (!next) {
      next = this.#ask(topic)
      this.#next.set(topic, next)
    }
    return next
  }

  async #ask(topic: string): Promise<Marks> {
    await this.#running.get(topic)
    // Who comes from now on gets the next answer.
    this.#next.delete(topic)
    const asking = fetchMarks(this.#admin, topic)
    this.#running.set(
      topic,
      asking.catch(() => undefined),
    )
    return asking
  }
}

async function fetchMarks(admin: Admin, topic: string): Promise<Marks> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const offsets = await admin.fetchTopicOffsets(topic)
      return new Map(offsets.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]))
    } catch (error) {
      if (!isMoving(error) || attempt === ATTEMPTS_MAX) throw error
    }
    await sleep(RETRY_MS)
  }
}
