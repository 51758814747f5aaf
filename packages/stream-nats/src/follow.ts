import type { Bell, Followed, StoredRecord } from '@posthaste/stream'
import type { Connection } from './connection.js'
import type { LogReader } from './log-reader.js'

/** How often to look for what others wrote. What this process writes wakes it at once. */
const LOOK_EVERY_MS = 50
const AWAY_MS = 250

/** What `follow` needs. */
export interface Following {
  readonly reader: LogReader
  readonly connection: Connection
  readonly bell: Bell
  /** Where to begin, and where to end. */
  readonly from: number
  readonly until: number
  /** Whether all before `from` was told to who follows. */
  readonly isResumed: boolean
  readonly untilEnd: boolean
  readonly beats: boolean
  readonly signal: AbortSignal
}

export async function* follow(following: Following): AsyncIterable<Followed> {
  const { bell, until, untilEnd, beats, signal } = following
  let next = following.from
  let { isResumed } = following
  while (next < until && !signal.aborted) {
    const askedAtMs = performance.now()
    const records = await look(following, next)
    if (signal.aborted) return
    if (!records) continue
    const [first, last] = [records[0], records.at(-1)]
    if (first && last) {
      const hasGap = isResumed && first.offset > next
      isResumed = false
      next = last.offset + 1
      yield { records, position: String(next), ...(hasGap && { hasGap }) }
      continue
    }
    if (untilEnd) return
    if (beats) yield { records, position: String(next), asOfMs: askedAtMs }
    await bell.wait(LOOK_EVERY_MS, signal)
  }
}

/** What is there from `next` on; with beats, nothing only if nothing is. Undefined, after a while, if it cannot be known. */
async function look(following: Following, next: number): Promise<readonly StoredRecord[] | undefined> {
  const { reader, connection, bell, until, untilEnd, beats, signal } = following
  try {
    if (beats && (await reader.isEnd(next))) return []
    const records = await reader.read(next)
    if (records.length > 0 || !beats) return records.filter(({ offset }) => offset < until)
    // The leader has some, and the replica that answered does not yet.
    await bell.wait(LOOK_EVERY_MS, signal)
    return undefined
  } catch (error) {
    // Whoever reads to the end wants it all, now.
    if (!signal.aborted && (untilEnd || connection.isClosed)) throw error
    await bell.wait(AWAY_MS, signal)
    return undefined
  }
}
