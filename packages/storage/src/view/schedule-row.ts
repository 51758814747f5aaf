import {
  type Call,
  decodeCall,
  decodeJournalEntry,
  encodeCall,
  isFinalState,
  isTick,
  type JournalEntry,
  nextTick,
  PosthasteError,
  type ScheduleEnd,
  type TickCall,
} from '@posthaste/core'

/** Where a schedule stands: the tick that it waits for, or with which it ended. */
export interface ScheduleRow {
  readonly tick: TickCall
  readonly end: ScheduleEnd | undefined
}

/** On disk: how it ended, when, then the record of the tick. */
const END_STATES = [undefined, 'ended', 'deleted'] as const
const RECORD_AT = 9

export function encodeScheduleRow({ end, tick }: ScheduleRow): Buffer {
  const record = encodeCall(tick)
  const bytes = Buffer.alloc(RECORD_AT + record.length)
  bytes[0] = END_STATES.indexOf(end?.state)
  bytes.writeDoubleLE(end?.atMs ?? 0, 1)
  bytes.set(record, RECORD_AT)
  return bytes
}

export function decodeScheduleRow(bytes: Buffer): ScheduleRow {
  const state = END_STATES[bytes[0] as number]
  return { tick: tickIn(bytes.subarray(RECORD_AT)) as TickCall, end: state && { state, atMs: bytes.readDoubleLE(1) } }
}

/** What the record of a tick tells, on `calls`. */
export function rowOfCall(call: Call): ScheduleRow | undefined {
  return isTick(call) ? { tick: call, end: undefined } : undefined
}

/** What an entry of the journal tells of a tick: it holds the record of that. */
export function rowOfEntry(value: Uint8Array): ScheduleRow | undefined {
  const entry = readable(() => decodeJournalEntry(value))
  const tick = entry && tickIn(entry.record)
  return tick && afterEntry(tick, entry)
}

/**
 * What two records tell, in any order, and however often: an end counts, or else the later tick. What is of another tenant
 * than the first tells nothing.
 */
export function joinScheduleRows(known: ScheduleRow, told: ScheduleRow): ScheduleRow {
  if (told.tick.tenant !== known.tick.tenant) return known
  const row = known.end || (!told.end && !isLater(told.tick, known.tick)) ? known : told
  const firedMs = Math.max(known.tick.schedule.firedMs ?? 0, told.tick.schedule.firedMs ?? 0)
  if (firedMs === (row.tick.schedule.firedMs ?? 0)) return row
  return { ...row, tick: { ...row.tick, schedule: { ...row.tick.schedule, firedMs } } }
}

function afterEntry(tick: TickCall, { atMs, nextAttemptAtMs = atMs, state, tick: told }: JournalEntry): ScheduleRow {
  // Of a note it is the tick itself.
  if (!told || state === 'scheduled') return { tick, end: undefined }
  const next = nextTick(tick, told, nextAttemptAtMs)
  if (!isFinalState(state)) return { tick: next, end: undefined }
  return { tick: next, end: { state: state === 'cancelled' ? 'deleted' : 'ended', atMs } }
}

function isLater(one: TickCall, other: TickCall): boolean {
  return one.generation === other.generation ? one.attempt > other.attempt : one.generation > other.generation
}

function tickIn(record: Uint8Array): TickCall | undefined {
  const origin = { log: 'calls', partition: 0, offset: 0, appendedAtMs: 0 }
  const call = readable(() => decodeCall(record, origin).call)
  return call && isTick(call) ? call : undefined
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof PosthasteError) return undefined
    throw error
  }
}
