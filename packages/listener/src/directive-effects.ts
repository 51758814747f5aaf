import {
  type Call,
  type Directive,
  decideVerdict,
  decodeCall,
  directiveKey,
  encodeDirective,
  type Failure,
  idTimeMs,
  isAllDue,
  journalEntryOf,
  PosthasteError,
} from '@posthaste/core'
import type { Effects, NewRecord } from '@posthaste/stream'
import { type Ending, journalRecord, type Stamp, scheduledNote, timerOf } from './effects.js'

const NONE = new Uint8Array(0)
/**
 * How long a directive is kept once its record is gone and none is due any more: as long as a copy of it may be on its way.
 * The watchdog of a call comes that much later by which the call may take.
 */
const COPIES_MS = 600_000

export const CANCELLED: Failure = { code: 'cancelled', detail: 'It was cancelled before a call had succeeded.' }

/** What follows for a call that is to be cancelled. */
export function cancelEffects(call: Call, record: Uint8Array, stamp: Stamp): Ending {
  const entry = journalEntryOf(call, { ...stamp, state: 'cancelled', failure: CANCELLED, record }, undefined)
  return { state: 'cancelled', failure: CANCELLED, effects: { journal: [journalRecord(entry)] } }
}

/** The same where no more is known of the call than that it was to be cancelled. */
export function cancelUnknownEffects(directive: Directive, stamp: Stamp): Effects {
  const { askedAtMs, attempt, generation, id, tenant } = directive
  const whose = {
    id,
    generation,
    attempt,
    acceptedAtMs: idTimeMs(id) ?? askedAtMs,
    ...(tenant !== undefined && { tenant }),
  }
  const what = { ...stamp, state: 'cancelled', failure: CANCELLED, responseBody: NONE, record: NONE } as const
  return { journal: [journalRecord({ ...whose, ...what })] }
}

/** What follows for a call that is to be moved: its record comes at the other time, and says why. */
export function moveEffects(call: Call, { dueMs = 0, number }: Directive, stamp: Stamp): Effects {
  const moved = { ...call, move: number, notBeforeMs: dueMs }
  const timer = timerOf(moved, dueMs)
  return { timers: [timer], notes: [scheduledNote(moved, timer, stamp)] }
}

/** The call that a directive is about; undefined if whoever asked did not know it. */
export function callOf({ askedAtMs, attempt, generation, id, record }: Directive): Call | undefined {
  try {
    const { call } = decodeCall(record, { log: 'calls', partition: 0, offset: 0, appendedAtMs: askedAtMs })
    return { ...call, id, generation, attempt }
  } catch (error) {
    if (error instanceof PosthasteError) return undefined
    throw error
  }
}

/** The directive as it is to stand once somebody has acted on it. */
export function done(directive: Directive): Directive {
  return { ...directive, isDone: true, record: NONE }
}

/**
 * The directive as it is to stand once it turned out that it changes nothing. Of an attempt that has ended nothing is called
 * any more: what was put off before the last move has a lower number.
 */
export function tooLate(directive: Directive, least = directive.number - 1): Directive {
  return { ...done(directive), tooLate: least }
}

/** A move as it is to stand while `call` runs; undefined if it is to wait for what comes of that. */
export function whileRunning(directive: Directive, call: Call): Directive | undefined {
  const verdict = decideVerdict(call, directive)
  // If it is made again, then as it is now.
  if (verdict === 'move') return tooLate(directive, call.move ?? 0)
  if (verdict !== 'call') return undefined
  const isMoved = call.generation === directive.generation && call.attempt === directive.attempt
  return isMoved ? done(directive) : tooLate(directive)
}

/** The directive as it is to stand once a record is gone that it was about. */
export function withoutRecord(directive: Directive, timeoutMs: number, nowMs: number): Directive {
  // Another may come that was moved before.
  if (!isAllDue(directive, nowMs)) return directive
  return { ...directive, untilMs: Math.min(directive.untilMs, nowMs + COPIES_MS + timeoutMs) }
}

export function controlRecord(directive: Directive): NewRecord {
  return { key: directiveKey(directive), value: encodeDirective(directive) }
}

/** Says that there is nothing under a key of the control log any more. */
export function emptyRecord(key: string): NewRecord {
  return { key, value: NONE }
}
