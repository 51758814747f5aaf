import { PosthasteError } from '@posthaste/core'
import type { Followed, FollowOptions, LogName, Position } from '@posthaste/stream'
import type { EmbeddedParts } from './parts.js'

/** How often to look for what other processes wrote. What this process writes, in any thread, wakes it at once. */
const LOOK_EVERY_MS = 20
/** Beats are no closer together, but for the one that comes when records were told. */
const BEAT_EVERY_MS = 100

/** What `Stream.follow` does; ends with `stopping` too. */
export async function* followLog(
  { bell, environment, logs }: EmbeddedParts,
  name: LogName,
  from: Position | 'start',
  options: FollowOptions,
  stopping: AbortSignal,
): AsyncIterable<Followed> {
  const log = logs[name]
  let offset = offsetOf(from)
  let isResumed = from !== 'start'
  environment.refresh()
  const untilOffset = options.untilEnd ? log.end() : Number.POSITIVE_INFINITY
  let lastBeatMs = Number.NEGATIVE_INFINITY
  while (offset < untilOffset && !options.signal?.aborted && !stopping.aborted) {
    const asOfMs = performance.now()
    environment.refresh()
    const batch = log.read(offset)
    if (batch) {
      const records = batch.base < offset ? batch.records.slice(offset - batch.base) : batch.records
      const hasGap = isResumed && batch.base > offset
      isResumed = false
      offset = batch.end
      lastBeatMs = Number.NEGATIVE_INFINITY
      yield { records, position: String(offset), ...(hasGap && { hasGap }) }
    } else if (options.untilEnd) {
      return
    } else if (options.beats && asOfMs - lastBeatMs >= BEAT_EVERY_MS) {
      lastBeatMs = asOfMs
      yield { records: [], position: String(offset), asOfMs }
    } else {
      await bell.wait(LOOK_EVERY_MS, options.signal)
    }
  }
}

function offsetOf(from: Position | 'start'): number {
  const offset = from === 'start' ? 0 : Number(from)
  if (!Number.isSafeInteger(offset)) throw new PosthasteError('internal', `"${from}" is not a position of this log.`)
  return offset
}
