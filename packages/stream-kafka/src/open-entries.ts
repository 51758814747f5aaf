import type { Turn } from '@posthaste/stream'
import type { Claimant } from './claimant.js'
import { WATCHDOG_MS_MAX } from './ended-calls.js'
import type { About } from './record-codec.js'

/**
 * How long an entry waits for its turn to come back whose record is completed: nobody can tell whether that was put off
 * or is done with. What is put off comes back within thirty seconds, and may have to wait for a new owner of the timers.
 */
const LATE_MS = 90_000
/** Of these, so many are kept. */
const LATE_MAX = 1_000

/** An entry of the journal that was read. */
export interface Entry {
  readonly offset: number
  readonly turn: Turn
  readonly value: Uint8Array
  /** Undefined if it was not written with a completion. */
  readonly about: About | undefined
}

/** An entry whose effects may be missing. */
export interface OpenEntry {
  readonly entry: Entry
  /** Who was told of it, and writes its effects. */
  told: Claimant | undefined
  /** Since when its record is known to be completed, by `performance.now`. */
  lateMs: number | undefined
}

/** Entries of others whose effects may be missing, by their turn. */
export class OpenEntries {
  readonly #entries = new Map<string, OpenEntry>()

  has(text: string): boolean {
    return this.#entries.has(text)
  }

  get(text: string): OpenEntry | undefined {
    return this.#entries.get(text)
  }

  add(text: string, entry: Entry): void {
    this.#entries.set(text, { entry, told: undefined, lateMs: undefined })
  }

  delete(text: string): void {
    this.#entries.delete(text)
  }

  /** Offsets of the records that they end and that were not checked out. */
  recorded(): Set<number> {
    const recorded = new Set<number>()
    for (const { entry } of this.#entries.values()) if (entry.about && !entry.about.isOut) recorded.add(entry.about.at)
    return recorded
  }

  /** The turns that nobody came for in time. `isAwaited` tells of whom somebody is still to come, whatever the time. */
  abandoned(isAwaited: (text: string, entry: Entry) => boolean, nowMs: number): string[] {
    const abandoned: string[] = []
    const late: string[] = []
    for (const [text, open] of this.#entries) {
      if (isAwaited(text, open.entry)) continue
      const isOut = open.entry.about?.isOut ?? false
      open.lateMs ??= nowMs
      if (nowMs - open.lateMs > (isOut ? WATCHDOG_MS_MAX : LATE_MS)) abandoned.push(text)
      else if (!isOut) late.push(text)
    }
    return [...abandoned, ...late.slice(0, -LATE_MAX)]
  }
}
