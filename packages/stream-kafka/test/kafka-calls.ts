import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer, Delivery, NewRecord } from '@posthaste/stream'
import { partitionOf } from '../src/partition-of.js'
import { KafkaStorage } from './kafka-harness.js'

export const GROUP = 'group'
const WAIT_MS = 15_000

export function storageFor(t: { teardown(after: () => Promise<void>): unknown }): KafkaStorage {
  const storage = new KafkaStorage()
  t.teardown(() => storage.destroy())
  return storage
}

let attempts = 0

export function record(key: string, text = key): NewRecord {
  return { key, value: Buffer.from(text) }
}

export function ofOneKey(text: string): NewRecord {
  attempts += 1
  return { key: 'one-key', attempt: attempts, value: Buffer.from(text) }
}

export function oneOfEachPartition(): NewRecord[] {
  const keys = new Map<number, string>()
  for (let index = 0; keys.size < 4; index += 1) keys.set(partitionOf(`key-${index}`, 4), `key-${index}`)
  return [...keys.values()].map((key) => record(key))
}

export function endOf({ record: { attempt = 1, generation = 1, key } }: Delivery): NewRecord {
  return { key, generation, attempt, value: Buffer.from('ended') }
}

export function textsOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ record }) => Buffer.from(record.value).toString())
}

/** Pulls and begins what is to be worked on. Comes back with less than `count` only if `waitMs` is given. */
export async function pull(consumer: Consumer, count: number, forMs?: number): Promise<Delivery[]> {
  const untilMs = performance.now() + (forMs ?? WAIT_MS)
  const deliveries: Delivery[] = []
  while (deliveries.length < count) {
    const waitMs = untilMs - performance.now()
    if (waitMs <= 0 && forMs !== undefined) return deliveries
    if (waitMs <= 0) throw new Error(`${deliveries.length} of ${count} records came`)
    for (const delivery of await consumer.pull({ recordsMax: count - deliveries.length, bytesMax: 1e9, waitMs })) {
      if ((await delivery.begin(delivery.record)) === 'fresh') deliveries.push(delivery)
      else await delivery.complete()
    }
  }
  return deliveries
}

export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + WAIT_MS
  while (!(await isSo())) {
    if (performance.now() > untilMs) throw new Error(`it did not come to pass: ${isSo}`)
    await sleep(20)
  }
}

/** Whether something comes to pass. */
export function works(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  )
}
