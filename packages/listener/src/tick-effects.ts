import {
  decideSteering,
  decodeJournalEntry,
  encodeCall,
  firingOf,
  journalEntryOf,
  nextTick,
  type Tick,
  type TickCall,
  type TickSequel,
} from '@posthaste/core'
import type { Effects } from '@posthaste/stream'
import { callRecord, journalRecord, type Stamp, timerOf } from './effects.js'

/** What follows from a tick of a schedule. */
export interface TickEnding {
  readonly state: 'ticked'
  readonly effects: Effects
}

/** The journal entry, which decides, the next tick, and the invocation, if it is time for one. */
export function endTick(call: TickCall, { dueMs, tick }: TickSequel, stamp: Stamp): TickEnding {
  const state = dueMs === undefined ? 'succeeded' : 'retrying'
  const next = dueMs === undefined ? {} : { nextAttemptAtMs: dueMs }
  const entry = journalEntryOf(call, { ...stamp, state, tick, ...next, record: encodeCall(call) }, undefined)
  return { state: 'ticked', effects: { ...sequelsOf(call, tick, dueMs, stamp.atMs), journal: [journalRecord(entry)] } }
}

/** What follows from a tick that pauses its schedule, or has it go on. */
export function steerTick(call: TickCall, to: 'pause' | 'resume', stamp: Stamp): TickEnding {
  return endTick(call, decideSteering(call.schedule, to, stamp.atMs), stamp)
}

/**
 * What follows from a tick that the journal tells the end of: see `effectsAgain`. Where its generation is over, the next tick
 * was written, and has gone on since: once more, it would lead through all that came after it.
 */
export function tickEffectsAgain(call: TickCall, journalValue: Uint8Array, isOver: boolean): Effects {
  const { atMs, nextAttemptAtMs, tick } = decodeJournalEntry(journalValue)
  return tick ? { again: true, ...sequelsOf(call, tick, isOver ? undefined : nextAttemptAtMs, atMs) } : {}
}

function sequelsOf(call: TickCall, tick: Tick, dueMs: number | undefined, atMs: number): Effects {
  const { did, firedMs } = tick
  return {
    ...(dueMs !== undefined && { timers: [timerOf(nextTick(call, tick, dueMs), dueMs)] }),
    ...(did === 'fired' && firedMs !== undefined && { children: [callRecord(firingOf(call, firedMs, atMs))] }),
  }
}
