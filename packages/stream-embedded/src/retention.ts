import type { Clock } from '@posthaste/core'
import type { Environment } from '@posthaste/storage'
import type { BatchLog } from './batch-log.js'
import type { KeyedLog } from './keyed-log.js'

/** How much of a log is kept: what is older or beyond the size goes. */
export interface Retention {
  readonly ageMs: number
  readonly bytes: number
}

/** Removed in one transaction: an append may wait for it. */
const BATCHES_MAX = 500

/** Removes the oldest records that a retention no longer covers, until `signal` aborts. */
export async function applyRetention(
  environment: Environment,
  clock: Clock,
  log: BatchLog,
  retention: Retention,
  signal?: AbortSignal,
): Promise<void> {
  while (!signal?.aborted) {
    environment.refresh()
    const byAge = log.offsetBefore(clock.now() - retention.ageMs, BATCHES_MAX)
    const bySize = log.offsetOfExcess(retention.bytes, BATCHES_MAX)
    const offset = Math.max(byAge, bySize)
    if (!log.canTrim(offset)) return
    await environment.commit(() => log.trimNow(offset, BATCHES_MAX))
  }
}

/** Removes empty records that are older than `ageMs`, until `signal` aborts. */
export async function dropEmpty(
  environment: Environment,
  clock: Clock,
  log: KeyedLog,
  ageMs: number,
  signal?: AbortSignal,
): Promise<void> {
  while (!signal?.aborted) {
    environment.refresh()
    const offsets = log.emptyBefore(clock.now() - ageMs, BATCHES_MAX)
    if (offsets.length === 0) return
    await environment.commit(() => log.dropEmptyNow(offsets))
  }
}
