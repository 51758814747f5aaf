import { decodeJournalEntry, type JournalEntry } from '@posthaste/core'
import type { Position } from '@posthaste/stream'
import { withStream } from './stored-state.js'

/** Reads all journal entries in a data directory, in order, beside whoever else has it open. */
export async function readJournal(dataDir: string): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = []
  await readJournalFrom(dataDir, 'start', entries)
  return entries
}

/** Pushes the entries from a position on to `entries` and returns the position behind them. */
export function readJournalFrom(dataDir: string, from: Position | 'start', entries: JournalEntry[]) {
  return withStream(dataDir, async (stream): Promise<Position | 'start'> => {
    let end = from
    for await (const { records, position } of stream.follow('journal', from, { untilEnd: true })) {
      for (const { value } of records) entries.push(decodeJournalEntry(value))
      end = position
    }
    return end
  })
}

export function isFinal({ state }: JournalEntry): boolean {
  return state !== 'retrying'
}
