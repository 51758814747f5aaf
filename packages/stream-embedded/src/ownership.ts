import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@posthaste/core'
import type { Environment } from '@posthaste/storage'
import type { Completed, CompletedPrefix, Delivery, StoredRecord } from '@posthaste/stream'
import type { BatchLog } from './batch-log.js'
import type { Bell } from './bell.js'
import { type Completion, type DeliverySource, EmbeddedDelivery } from './embedded-delivery.js'
import type { Lease } from './lease.js'
import { restampBatch } from './record-batch.js'
import type { DueBatch, Timers } from './timers.js'

const RETRY_WRITE_MS = 250
/** How long `end` goes on trying to write what is completed. */
const END_WRITE_MS = 5_000
/** Records moved from the timers to `calls` in one transaction. An append may wait for it. */
const FIRE_RECORDS_MAX = 2_000
/** How much longer a watchdog waits if it comes due while its call is still running here. */
const WATCHDOG_MORE_MS = 10_000
/** Batches removed with whatever else is written: more than come to be completed by it, but for many small ones. */
const TRIM_WITH_MAX = 16
/** What is left is removed in transactions of its own, short ones: an append may wait for them. */
const TRIM_EVERY_MS = 50
const TRIM_BATCHES_MAX = 64
/** Of very many, this share at once, so that none pile up. */
const TRIM_SHARE = 8

/** What the parts of an embedded stream share. */
export interface EmbeddedParts {
  readonly environment: Environment
  readonly calls: BatchLog
  readonly journal: BatchLog
  readonly timers: Timers
  readonly bell: Bell
  readonly log: Log
}

/**
 * What a member does from taking the lease until it loses it or gives it up. Everything it writes goes through one
 * loop, a transaction at a time: effects, completion and checkpoint together, so that the checkpoint never speaks of
 * effects that are not there. What it knows in memory changes after the commit.
 */
export class Ownership implements DeliverySource {
  readonly #parts: EmbeddedParts
  readonly #lease: Lease
  readonly #prefix: CompletedPrefix
  /** How far the prefix reaches on disk: what others are told, and below which records may be removed. */
  #committed: number
  readonly #loss = new AbortController()
  /** Calls that were checked out and still run, by the key of their watchdog. */
  readonly #checkedOut = new Map<string, EmbeddedDelivery>()
  /** Nobody but the owner writes timers. */
  #firstDueMs: number
  #readOffset: number
  /** The batch that the last read ended in, and how much of it was read. */
  #ahead: readonly StoredRecord[] = []
  #aheadAt = 0
  /** Batches that were read, or completed before, and are to be removed once they lie below the checkpoint, in order. */
  #toTrim: { readonly base: number; readonly end: number }[]
  /** What waits to be written. */
  #waiting = new Group()
  #firing: (() => void)[] = []
  #writing: Promise<void> | undefined
  #trimming: Promise<void> | undefined
  #ending = false
  #inFlight = 0

  constructor(parts: EmbeddedParts, lease: Lease, prefix: CompletedPrefix) {
    this.#parts = parts
    this.#lease = lease
    this.#prefix = prefix
    this.#committed = prefix.committed
    this.#readOffset = prefix.committed
    parts.environment.refresh()
    this.#firstDueMs = parts.timers.firstDueMs()
    this.#toTrim = parts.calls.basesBelow(prefix.committed).map((base) => ({ base, end: base + 1 }))
    this.#trim()
  }

  get lost(): AbortSignal {
    return this.#loss.signal
  }

  get isLost(): boolean {
    return this.#loss.signal.aborted
  }

  get committed(): number {
    return this.#committed
  }

  /** When the first timer is due; infinite if there is none. */
  get firstDueMs(): number {
    return this.#firstDueMs
  }

  get inFlight(): number {
    return this.#inFlight
  }

  held(): boolean {
    return this.#lease.isTrusted()
  }

  lose(): void {
    if (this.isLost) return
    this.#lease.forget()
    this.#loss.abort()
    this.#takeGroup().settle('lost')
    for (const done of this.#firing.splice(0)) done()
  }

  read(recordsMax: number, bytesMax: number): Delivery[] {
    const deliveries: Delivery[] = []
    let bytes = 0
    while (deliveries.length < recordsMax && bytes < bytesMax && !this.isLost) {
      const record = this.#next()
      if (!record) break
      if (this.#prefix.isCompleted(record.offset)) continue
      deliveries.push(new EmbeddedDelivery(record, this))
      bytes += record.value.length
    }
    this.#inFlight += deliveries.length
    return deliveries
  }

  /** Whether a timer is due that can be moved to `calls`. */
  get hasDue(): boolean {
    return this.#firstDueMs <= Date.now() && !this.isLost && !this.#ending
  }

  /** Moves some of what is due from the timers to `calls`. */
  fireDue(): Promise<void> {
    return new Promise<void>((done) => {
      this.#firing.push(done)
      this.#startWriting()
    })
  }

  /** Resolves when it is written: for all that share a transaction with one promise. */
  write(completion: Completion): Promise<Completed> {
    this.#waiting.completions.push(completion)
    this.#startWriting()
    return this.#waiting.settled
  }

  /** Writes what is completed, then knows of nothing more. */
  async end(): Promise<void> {
    this.#ending = true
    while (this.#writing) await this.#writing
    await this.#trimming
    this.#loss.abort()
  }

  #next(): StoredRecord | undefined {
    if (this.#aheadAt === this.#ahead.length) {
      this.#parts.environment.refresh()
      const batch = this.#parts.calls.read(this.#readOffset)
      if (!batch) return undefined
      this.#ahead = batch.records
      this.#aheadAt = Math.max(0, this.#readOffset - batch.base)
      this.#toTrim.push({ base: batch.base, end: batch.end })
    }
    const record = this.#ahead[this.#aheadAt]
    if (!record) return undefined
    this.#aheadAt += 1
    this.#readOffset = record.offset + 1
    return record
  }

  #startWriting(): void {
    this.#writing ??= this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    // A turn later, so that what completes in one turn of the event loop shares a transaction.
    await Promise.resolve()
    try {
      while (this.#waiting.completions.length > 0 || this.#firing.length > 0) {
        const group = this.#takeGroup()
        const firing = this.#firing.splice(0)
        await this.#writeUntilDone(group, firing.length > 0)
        for (const done of firing) done()
      }
    } finally {
      // In one go with the last look at what waits: what comes a moment later starts the loop again.
      this.#writing = undefined
    }
    this.#trim()
  }

  /**
   * A group that fails is tried again before any other is written: its records count as completed in the prefix, which
   * the next checkpoint would save.
   */
  async #writeUntilDone(group: Group, fire: boolean): Promise<void> {
    const giveUpMs = performance.now() + END_WRITE_MS
    for (;;) {
      try {
        const after: (() => void)[] = []
        const held = await this.#parts.environment.commit(() => this.#writeNow(group.completions, fire, after))
        if (held) {
          for (const change of after) change()
          this.#committed = this.#prefix.committed
        } else this.lose()
        return this.#settle(group, held ? 'done' : 'lost')
      } catch (error) {
        const records = group.completions.length
        this.#parts.log.error({ err: error, records }, 'what was called cannot be recorded; trying again')
        if (this.isLost || (this.#ending && performance.now() > giveUpMs)) {
          this.lose()
          return this.#settle(group, 'lost')
        }
        await sleep(RETRY_WRITE_MS)
      }
    }
  }

  #writeNow(group: readonly Completion[], fire: boolean, after: (() => void)[]): boolean {
    // The lease may have been taken anew since, by this very consumer, with another prefix.
    if (this.isLost || !this.#lease.isCurrentNow()) return false
    const { calls, journal, timers } = this.#parts
    const nowMs = Date.now()
    journal.appendNow(gather(group, 'journal'), nowMs)
    calls.appendNow(gather(group, 'children'), nowMs)
    const put = gather(group, 'timers')
    timers.putNow(put, nowMs)
    // Known as watchdogs of running calls only after the commit, so they wait for the next one even if they are overdue.
    const fresh = new Set<string>()
    for (const completion of group) {
      this.#replaceWatchdogNow(completion, nowMs, fresh, after)
      this.#prefix.complete(completion.delivery.record.offset)
    }
    if (fire) {
      for (const due of timers.dueNow(nowMs, FIRE_RECORDS_MAX)) {
        if (!fresh.has(String(due.key))) this.#fireNow(due, nowMs, after)
      }
    }
    const changedWatchdogs = after.length > 0
    if (fire || put.length > 0 || changedWatchdogs) {
      const firstDueMs = timers.firstDueMs()
      after.push(() => {
        this.#firstDueMs = firstDueMs
      })
    }
    this.#trimNow(TRIM_WITH_MAX, after)
    return (
      group.length === 0 ||
      this.#lease.saveNow({ offset: this.#prefix.committed, beyond: this.#prefix.beyond, journal: '' })
    )
  }

  #replaceWatchdogNow(
    { delivery, watchdog }: Completion,
    nowMs: number,
    fresh: Set<string>,
    after: (() => void)[],
  ): void {
    const { timers } = this.#parts
    const key = delivery.watchdogKey
    if (key) {
      timers.removeNow(key)
      after.push(() => {
        this.#checkedOut.delete(String(key))
        delivery.watchdogKey = undefined
      })
    }
    if (!watchdog) return
    const next = timers.putAloneNow(watchdog, nowMs)
    fresh.add(String(next))
    after.push(() => {
      delivery.watchdogKey = next
      this.#checkedOut.set(String(next), delivery)
    })
  }

  #fireNow(due: DueBatch, nowMs: number, after: (() => void)[]): void {
    const { calls, timers } = this.#parts
    const running = this.#checkedOut.get(String(due.key))
    if (!running) {
      calls.appendBatchesNow([restampBatch(due.batch, nowMs)])
      timers.removeNow(due.key)
      return
    }
    const next = timers.putOffNow(due, nowMs + WATCHDOG_MORE_MS)
    after.push(() => {
      this.#checkedOut.delete(String(due.key))
      this.#checkedOut.set(String(next), running)
      running.watchdogKey = next
    })
  }

  #takeGroup(): Group {
    const group = this.#waiting
    this.#waiting = new Group()
    return group
  }

  #settle(group: Group, completed: Completed): void {
    for (const { delivery } of group.completions) {
      if (!delivery.isWritten) this.#inFlight -= 1
      delivery.isWritten = true
    }
    group.settle(completed)
    this.#parts.bell.ring()
  }

  /** How many batches lie wholly below what is committed on disk. */
  get #trimmable(): number {
    const first = this.#toTrim.findIndex(({ end }) => end > this.#committed)
    return first < 0 ? this.#toTrim.length : first
  }

  #trimNow(batchesMax: number, after: (() => void)[]): void {
    const trimmable = this.#trimmable
    const count = Math.min(trimmable, Math.max(batchesMax, Math.ceil(trimmable / TRIM_SHARE)))
    const last = this.#toTrim[count - 1]
    if (!last) return
    this.#parts.calls.removeNow(this.#toTrim.slice(0, count).map(({ base }) => base))
    after.push(() => {
      // Two of these may share a transaction: the second finds nothing left to drop.
      while ((this.#toTrim[0]?.base ?? Number.POSITIVE_INFINITY) <= last.base) this.#toTrim.shift()
    })
  }

  /** Removes what is completed in the background, a little at a time. */
  #trim(): void {
    if (this.#trimming || this.#ending || this.isLost || this.#trimmable === 0) return
    this.#trimming = this.#trimSome().catch((error: unknown) => {
      this.#parts.log.warn({ err: error }, 'completed calls cannot be removed now')
    })
  }

  async #trimSome(): Promise<void> {
    try {
      do {
        await sleep(TRIM_EVERY_MS)
        const after: (() => void)[] = []
        await this.#parts.environment.commit(() => {
          if (!this.isLost && this.#lease.isCurrentNow()) this.#trimNow(TRIM_BATCHES_MAX, after)
        })
        for (const change of after) change()
      } while (!this.#ending && !this.isLost && this.#trimmable > 0)
    } finally {
      this.#trimming = undefined
    }
  }
}

/** Completions that go into one transaction. */
class Group {
  readonly completions: Completion[] = []
  readonly settled: Promise<Completed>
  settle: (completed: Completed) => void = () => undefined

  constructor() {
    this.settled = new Promise((settle) => {
      this.settle = settle
    })
  }
}

function gather<K extends 'journal' | 'children' | 'timers'>(group: readonly Completion[], kind: K) {
  const all: NonNullable<Completion['effects'][K]>[number][] = []
  for (const { effects } of group) {
    const some = effects[kind]
    if (some) for (const one of some) all.push(one)
  }
  return all
}
