import type { Environment } from '../environment.js'
import { type MinuteChunk, minuteOf } from './minutes.js'
import type { ViewTables } from './view-tables.js'
import { ViewWriter } from './view-writer.js'

export interface ViewRetention {
  /** How long what has ended is kept, from its end, rounded up to minutes. */
  readonly ageMs: number
  /**
   * What invocations may take on disk: beyond it what ended first goes, but nothing that ended in the last minute or two,
   * for a log may still speak of it. What goes on is never removed.
   */
  readonly bytes: number
  /** How long a claim counts, from when the stream took it. */
  readonly claimAgeMs: number
}

/** So many chunks are a portion. */
const CHUNKS_MAX = 2
const FRESH_MS = 60_000
/** By so much may the clock of a view be ahead of the stream's: none may forget a claim that counts for another. */
const CLAIM_MARGIN_MS = 60_000

interface Overdue {
  readonly ended: readonly MinuteChunk[]
  readonly claimed: readonly MinuteChunk[]
}

/**
 * Removes a portion of what need not be kept any more, and returns how many invocations and claims that were: 0 when
 * nothing is left to remove.
 */
export async function applyRetention(
  environment: Environment,
  tables: ViewTables,
  retention: ViewRetention,
  nowMs: number,
): Promise<number> {
  for (;;) {
    environment.refresh()
    const overdue = overdueOf(tables, retention, nowMs)
    if (overdue.ended.length + overdue.claimed.length === 0) return 0
    const removed = await environment.commit(() => removeNow(tables, overdue))
    // There may be none: what was ended goes on after a redrive, and is remembered again with its next end.
    if (removed > 0) return removed
  }
}

function overdueOf(tables: ViewTables, { ageMs, bytes, claimAgeMs }: ViewRetention, nowMs: number): Overdue {
  const isTooLarge = tables.bytesOfInvocations() > bytes
  const olderThan = (chunks: readonly MinuteChunk[], keptMs: number): MinuteChunk[] =>
    chunks.filter(({ toMs }) => toMs + keptMs <= nowMs)
  return {
    ended: olderThan(tables.ended.oldest(CHUNKS_MAX), isTooLarge ? Math.min(FRESH_MS, ageMs) : ageMs),
    claimed: olderThan(tables.claimed.oldest(CHUNKS_MAX), claimAgeMs + CLAIM_MARGIN_MS),
  }
}

function removeNow(tables: ViewTables, { claimed, ended }: Overdue): number {
  const writer = new ViewWriter(tables)
  let removed = 0
  for (const chunk of ended) {
    removed += writer.removeEnded(chunk.keys, minuteOf(chunk.fromMs))
    tables.ended.removeNow(chunk)
  }
  for (const chunk of claimed) {
    removed += chunk.keys.filter((key) => writer.removeClaim(key, chunk.toMs)).length
    tables.claimed.removeNow(chunk)
  }
  writer.end()
  return removed
}
