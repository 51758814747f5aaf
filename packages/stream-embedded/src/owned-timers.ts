import { type Completion, gather, type Transaction } from './completion.js'
import type { EmbeddedDelivery } from './embedded-delivery.js'
import type { EmbeddedParts } from './parts.js'
import { restampBatch } from './record-batch.js'
import type { DueBatch } from './timers.js'

/** Records moved from the timers to `calls` in one transaction. An append may wait for it. */
const FIRE_RECORDS_MAX = 2_000
/** How much longer a watchdog waits if it comes due while its call is still running here. */
const WATCHDOG_MORE_MS = 10_000

/** The timers in the hands of the owner: nobody else writes them. */
export class OwnedTimers {
  readonly #parts: EmbeddedParts
  /** Calls that were checked out and still run, by the key of their watchdog. */
  readonly #checkedOut = new Map<string, EmbeddedDelivery>()
  #firstDueMs: number

  constructor(parts: EmbeddedParts) {
    this.#parts = parts
    this.#firstDueMs = parts.timers.firstDueMs()
  }

  /** When the first one is due; infinite if there is none. */
  get firstDueMs(): number {
    return this.#firstDueMs
  }

  /** Writes the timers and watchdogs of `group`; moves some of what is due to `calls` if `fire`. */
  writeNow(group: readonly Completion[], fire: boolean, transaction: Transaction): void {
    const { after, nowMs } = transaction
    const changes = after.length
    const put = gather(group, 'timers')
    this.#parts.timers.putNow(put, nowMs)
    // Known as watchdogs of running calls only after the commit, so they wait for the next one even if they are overdue.
    const fresh = new Set<string>()
    for (const completion of group) this.#replaceWatchdogNow(completion, transaction, fresh)
    if (fire) this.#fireSomeNow(transaction, fresh)
    if (!fire && put.length === 0 && after.length === changes) return
    const firstDueMs = this.#parts.timers.firstDueMs()
    after.push(() => {
      this.#firstDueMs = firstDueMs
    })
  }

  #replaceWatchdogNow({ delivery, watchdog }: Completion, { after, nowMs }: Transaction, fresh: Set<string>): void {
    if (!delivery) return
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

  #fireSomeNow(transaction: Transaction, fresh: ReadonlySet<string>): void {
    for (const due of this.#parts.timers.dueNow(transaction.nowMs, FIRE_RECORDS_MAX)) {
      if (!fresh.has(String(due.key))) this.#fireNow(due, transaction)
    }
  }

  #fireNow(due: DueBatch, { after, nowMs }: Transaction): void {
    const { logs, timers } = this.#parts
    const running = this.#checkedOut.get(String(due.key))
    if (!running) {
      logs.calls.appendBatchesNow([restampBatch(due.batch, nowMs)])
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
}
