import type { BulkRequest, Invocation } from '@posthaste/core'
import type { ViewDoor } from './accepter-options.js'

/** How many are looked at, and written, at a time: their records are in memory together. */
const PORTION = 50

export interface BulkRun {
  readonly matched: number
  readonly done: number
  /** Where the list goes on; undefined if that was all. */
  readonly next: string | undefined
}

/**
 * Goes through what matches of a tenant, a portion at a time, from `from` on and as far as the request says. `work` does it for some
 * and returns for how many it did: what has been done already is passed over when the same is asked again.
 */
export async function runBulk(
  view: ViewDoor,
  tenant: string,
  { filter, isDryRun, limit }: BulkRequest,
  from: string | undefined,
  work: (items: readonly Invocation[], doneBefore: number) => Promise<number>,
): Promise<BulkRun> {
  let [matched, done, next] = [0, 0, from]
  do {
    const room = Math.min(PORTION, limit - matched)
    const page = view.list({ ...filter, tenant, limit: room, ...(next !== undefined && { cursor: next }) })
    matched += page.items.length
    if (!isDryRun && page.items.length > 0) done += await work(page.items, done)
    next = page.next
    // Where nothing was found the list has looked for long: the client is told, and goes on.
    if (page.items.length === 0) break
  } while (next !== undefined && matched < limit)
  return { matched, done, next }
}
