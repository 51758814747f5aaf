import type { Call } from './call.js'
import type { Directive } from './directive.js'
import { type JournalPeek, readJournalLine } from './journal-line.js'
import { type FinalState, type InvocationState, isFinalState } from './lifecycle.js'
import { splitLine } from './line-record.js'

/**
 * Where an invocation stands, as far as it was told. What the logs tell comes in any order between them, and may come
 * again: `joinStandings` makes the same of it. Only the entries of the journal keep their order, for the first end of a
 * generation counts. Times in milliseconds since the Unix epoch, 0 for what is not known.
 *
 * The highest generation counts; of that its end; else the highest attempt, and of that the highest move.
 */
export interface Standing {
  readonly generation: number
  /** The attempt that is waited for or runs, or with which it ended. */
  readonly attempt: number
  /** The directive that moved the attempt; 0 for none. */
  readonly move: number
  /** When `calls` took the record last, its time having come. */
  readonly queuedAtMs: number
  /** Until when it is put off. */
  readonly dueMs: number
  /** When it was last told to be running. */
  readonly runningAtMs: number
  readonly ended: { readonly state: FinalState; readonly atMs: number } | undefined
}

/** What a record on `calls` tells. */
export function standingOfCall(
  { attempt, generation, move = 0, notBeforeMs = 0 }: Call,
  appendedAtMs: number,
): Standing {
  if (notBeforeMs > appendedAtMs) return waiting(generation, attempt, move, 0, notBeforeMs)
  return waiting(generation, attempt, move, appendedAtMs, 0)
}

type Entry = Pick<JournalPeek, 'generation' | 'attempt' | 'state' | 'atMs' | 'recordBytes'>

/** What an entry of the journal tells. `value` is the whole record. */
export function standingOfEntry({ atMs, attempt, generation, recordBytes, state }: Entry, value: Uint8Array): Standing {
  if (isFinalState(state)) {
    return { generation, attempt, move: 0, queuedAtMs: 0, dueMs: 0, runningAtMs: 0, ended: { state, atMs } }
  }
  if (state === 'running') return { ...waiting(generation, attempt, 0, 0, 0), runningAtMs: atMs }
  const dueMs = dueMsOf(value) ?? atMs
  if (state === 'retrying') return waiting(generation, attempt + 1, 0, 0, dueMs)
  return waiting(generation, attempt, moveOf(value.subarray(value.length - recordBytes)), 0, dueMs)
}

/** What a move tells that was done, should the note of it be lost; undefined for any other directive. */
export function standingOfDirective(directive: Directive): Standing | undefined {
  const { attempt, dueMs, generation, isDone, kind, number, tooLate } = directive
  if (kind !== 'move' || !isDone || tooLate !== undefined || dueMs === undefined) return undefined
  return waiting(generation, attempt, number, 0, dueMs)
}

export function joinStandings(known: Standing, told: Standing): Standing {
  if (told.generation !== known.generation) return told.generation > known.generation ? told : known
  if (known.ended) return known
  if (told.ended) return told
  if (told.attempt !== known.attempt) return told.attempt > known.attempt ? told : known
  // A call that runs is told without the move that it came by.
  return { ...laterMove(known, told), runningAtMs: Math.max(known.runningAtMs, told.runningAtMs) }
}

/**
 * The state to show. Another attempt that is put off is `retrying`, the first one `scheduled`. What runs, and comes on
 * `calls` once more, was given up by whoever ran it.
 */
export function stateOf({ attempt, dueMs, ended, queuedAtMs, runningAtMs }: Standing): InvocationState {
  if (ended) return ended.state
  if (runningAtMs > 0 && runningAtMs >= queuedAtMs) return 'running'
  if (dueMs <= queuedAtMs) return 'queued'
  return attempt > 1 ? 'retrying' : 'scheduled'
}

function waiting(generation: number, attempt: number, move: number, queuedAtMs: number, dueMs: number): Standing {
  return { generation, attempt, move, queuedAtMs, dueMs, runningAtMs: 0, ended: undefined }
}

function laterMove(known: Standing, told: Standing): Standing {
  if (told.move !== known.move) return told.move > known.move ? told : known
  return {
    ...known,
    queuedAtMs: Math.max(known.queuedAtMs, told.queuedAtMs),
    dueMs: Math.max(known.dueMs, told.dueMs),
  }
}

function dueMsOf(value: Uint8Array): number | undefined {
  const dueMs = Date.parse(readJournalLine(value)?.nextAttemptAt ?? '')
  return Number.isNaN(dueMs) ? undefined : dueMs
}

function moveOf(record: Uint8Array): number {
  try {
    const { move } = splitLine(record, 'bodyBytes').document as { move?: unknown }
    return typeof move === 'number' ? move : 0
  } catch {
    return 0
  }
}
