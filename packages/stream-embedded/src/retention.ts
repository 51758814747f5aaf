import type { Environment } from '@posthaste/storage'
import type { BatchLog } from './batch-log.js'

/** How much of a log is kept: what is older or beyond the size goes. */
export interface Retention {
  readonly ageMs: number
  readonly bytes: number
}

const BATCHES_MAX = 500

/** Removes the oldest records that a retention no longer covers, until `signal` aborts. */
export async function applyRetention(
  environment: Environment,
  log: BatchLog,
  retention: Retention,
  signal?: AbortSignal,
): Promise<void> {
  while (!signal?.aborted) {
    environment.refresh()
    const byAge = log.offsetBefore(Date.now() - retention.ageMs, BATCHES_MAX)
    const bySize = log.offsetOfExcess(retention.bytes, BATCHES_MAX)
    const offset = Math.max(byAge, bySize)
    if (!log.canTrim(offset)) return
    await environment.commit(() => log.trimNow(offset, BATCHES_MAX))
  }
}
