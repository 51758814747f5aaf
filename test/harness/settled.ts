import { setTimeout as sleep } from 'node:timers/promises'
import { type JournalEntry, PosthasteError } from '@posthaste/core'
import type { Position } from '@posthaste/stream'
import { Client } from './client.js'
import { type Installation, withStream } from './installation.js'
import { isFinal, readJournalFrom } from './journal.js'
import type { PosthasteProcess } from './posthaste-process.js'

const LOOK_MS = 200
const SHOWN = 5

export interface Unsettled {
  /** The ids of all that is known to have been accepted. */
  readonly accepted: readonly string[]
  /** When the last of what may be on the stream unknown to us has come due. */
  readonly fromMs: number
  readonly timeoutMs: number
}

/**
 * Resolves with the journal once every invocation that is known, forwards included, has ended, and nothing more was
 * recorded for a moment.
 * @throws Error if that takes too long, which says what has not ended
 */
export function settled(installation: Installation, unsettled: Unsettled): Promise<JournalEntry[]> {
  return withStream(installation, async (stream) => {
    const untilMs = Date.now() + unsettled.timeoutMs
    const journal: JournalEntry[] = []
    let position: Position | 'start' = 'start'
    let isQuiet = false
    for (;;) {
      const before = journal.length
      try {
        position = await readJournalFrom(stream, position, journal)
        isQuiet = journal.length === before
      } catch (error) {
        // A broker that came back a moment ago may still not answer.
        if (!(error instanceof PosthasteError) || Date.now() > untilMs) throw error
        journal.length = before
        isQuiet = false
      }
      const open = openIds(journal, unsettled.accepted)
      if (isQuiet && open.length === 0 && Date.now() >= unsettled.fromMs) return journal
      if (Date.now() > untilMs) throw new Error(describe(open, journal))
      await sleep(LOOK_MS)
    }
  })
}

/** Resolves once the checkpoint stands at the end of calls, as the listeners tell it. @throws Error if it does not */
export async function checkpointReached(listeners: readonly PosthasteProcess[], timeoutMs: number): Promise<void> {
  const client = new Client()
  const untilMs = Date.now() + timeoutMs
  try {
    for (;;) {
      const reports = await Promise.all(listeners.map(({ url }) => client.request(`${url}/cycle?wait=0ms`)))
      const partitions = reports.flatMap(({ json }) => (json as { partitions: Partition[] }).partitions)
      const behind = partitions.filter(({ committed, end, owner }) => owner === 'this' && committed < end)
      const owned = new Set(partitions.filter(({ owner }) => owner === 'this').map(({ partition }) => partition))
      const all = new Set(partitions.map(({ partition }) => partition))
      if (behind.length === 0 && owned.size === all.size && all.size > 0) return
      if (Date.now() > untilMs) throw new Error(`The checkpoint is behind: ${JSON.stringify(partitions)}`)
      await sleep(LOOK_MS)
    }
  } finally {
    client.close()
  }
}

interface Partition {
  readonly partition: number
  readonly committed: number
  readonly end: number
  readonly owner: 'this' | 'other' | 'none'
}

function openIds(journal: readonly JournalEntry[], accepted: readonly string[]): string[] {
  const open = new Set(accepted)
  for (const { destination, forward, id } of journal) {
    open.add(id)
    for (const child of [forward, destination]) if (child && 'id' in child) open.add(child.id)
  }
  for (const entry of journal) if (isFinal(entry)) open.delete(entry.id)
  return [...open]
}

function describe(open: readonly string[], journal: readonly JournalEntry[]): string {
  const last = new Map(journal.map((entry) => [entry.id, entry]))
  const lines = open.slice(0, SHOWN).map((id) => {
    const { attempt, nextAttemptAtMs, state, target } = last.get(id) ?? { state: 'not in the journal' }
    return `${id} ${state} ${attempt ?? ''} ${target ?? ''} ${nextAttemptAtMs ? new Date(nextAttemptAtMs).toISOString() : ''}`
  })
  return `${open.length} have not ended (${journal.length} entries, now ${new Date().toISOString()}):\n${lines.join('\n')}`
}
