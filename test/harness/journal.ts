import { decodeJournalEntry, type JournalEntry } from '@posthaste/core'
import type { Position, Stream } from '@posthaste/stream'
import { type Installation, withStream } from './installation.js'
import { recordedCall } from './ledger.js'

/** Reads all journal entries of an installation, in order, beside whoever else has it open. */
export async function readJournal(installation: Installation): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = []
  await withStream(installation, (stream) => readJournalFrom(stream, 'start', entries))
  return entries
}

/** Pushes the entries from a position on to `entries` and returns the position behind them. */
export async function readJournalFrom(
  stream: Stream,
  from: Position | 'start',
  entries: JournalEntry[],
): Promise<Position | 'start'> {
  let end = from
  for await (const { records, position } of stream.follow('journal', from, { untilEnd: true })) {
    for (const { value } of records) entries.push(decodeJournalEntry(value))
    end = position
  }
  return end
}

export function isFinal({ state }: JournalEntry): boolean {
  return state !== 'retrying'
}

/** The entries that count: where an attempt has more than one, its first; the others are history. */
export function firstEntries(entries: readonly JournalEntry[]): JournalEntry[] {
  const first = new Map<string, JournalEntry>()
  for (const entry of entries) {
    const call = recordedCall(entry)
    if (!first.has(call)) first.set(call, entry)
  }
  return [...first.values()]
}
