import type { Environment, Table } from '@posthaste/storage'
import type { NewTimer } from '@posthaste/stream'
import { batchCount, encodeBatches } from './record-batch.js'

/** Due time in milliseconds since the Unix epoch, then a number that tells timers due at one time apart. */
export type TimerKey = [dueMs: number, sequence: number]

export interface DueBatch {
  readonly key: TimerKey
  readonly batch: Buffer
}

/**
 * Records that wait for their time, in the order in which they come due. Those put at one time that are due at one time
 * share a batch. Methods that end in `Now` are for use inside `Environment.commit`.
 */
export class Timers {
  readonly #table: Table<TimerKey>

  constructor(environment: Environment) {
    this.#table = environment.table('timers')
  }

  /** When the first one is due; infinite if there is none. */
  firstDueMs(): number {
    const [first] = [...this.#table.getKeys({ limit: 1 })]
    return first?.[0] ?? Number.POSITIVE_INFINITY
  }

  putNow(timers: readonly NewTimer[], nowMs: number): void {
    const byDue = new Map<number, NewTimer[]>()
    for (const timer of timers) {
      const dueMs = Math.ceil(timer.dueMs)
      const same = byDue.get(dueMs)
      if (same) same.push(timer)
      else byDue.set(dueMs, [timer])
    }
    for (const [dueMs, same] of byDue) this.#insert(dueMs, encodeBatches(same, nowMs))
  }

  /** Puts one timer apart from all others, so that its key can be used to remove it. */
  putAloneNow(timer: NewTimer, nowMs: number): TimerKey {
    return this.#insert(Math.ceil(timer.dueMs), encodeBatches([timer], nowMs))
  }

  /** Puts the batch that waits under `key` off and returns its new key. */
  putOffNow({ key, batch }: DueBatch, dueMs: number): TimerKey {
    this.#table.removeSync(key)
    return this.#insert(dueMs, [batch])
  }

  /** Does nothing if it is not there. */
  removeNow(key: TimerKey): void {
    this.#table.removeSync(key)
  }

  /** What is due at `nowMs`, in order, until `recordsMax` records are reached. */
  dueNow(nowMs: number, recordsMax: number): DueBatch[] {
    const due: DueBatch[] = []
    let records = 0
    for (const { key, value } of this.#table.getRange({ end: [nowMs + 1, 0] })) {
      due.push({ key, batch: value })
      records += batchCount(value)
      if (records >= recordsMax) break
    }
    return due
  }

  #insert(dueMs: number, batches: readonly Buffer[]): TimerKey {
    const [last] = [...this.#table.getKeys({ start: [dueMs, Number.MAX_SAFE_INTEGER], reverse: true, limit: 1 })]
    let sequence = last && last[0] === dueMs ? last[1] : -1
    for (const batch of batches) {
      sequence += 1
      this.#table.putSync([dueMs, sequence], batch)
    }
    return [dueMs, sequence]
  }
}
