import { decodeJournalEntry, isFinalState, type JournalEntry } from '@posthaste/core'
import type { Position, Stream } from '@posthaste/stream'
import { type Installation, withStream } from './installation.js'
import { recordedCall } from './ledger.js'

/**
 * Reads how each turn of an installation ended, in order, beside whoever else has it open. What the journal notes besides
 * decides nothing and is left out.
 */
export async function readJournal(installation: Installation): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = []
  await withStream(installation, (stream) => readJournalFrom(stream, 'start', entries))
  return entries
}

/** Pushes what it reads from a position on to `entries` and returns the position behind it. */
export async function readJournalFrom(
  stream: Stream,
  from: Position | 'start',
  entries: JournalEntry[],
): Promise<Position | 'start'> {
  let end = from
  for await (const { records, position } of stream.follow('journal', from, { untilEnd: true })) {
    for (const { value } of records) {
      const entry = decodeJournalEntry(value)
      if (isTurnEnd(entry)) entries.push(entry)
    }
    end = position
  }
  return end
}

export function isFinal({ state }: JournalEntry): boolean {
  return isFinalState(state)
}

function isTurnEnd(entry: JournalEntry): boolean {
  return entry.state === 'retrying' || isFinal(entry)
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
