import { formatDuration } from './duration.js'
import { type FieldError, PosthasteError } from './errors.js'
import { formatInstant, parseInstant } from './instant.js'
import { readDuration } from './instruction.js'
import { Type } from './json-schema.js'
import { LIMITS } from './limits.js'
import { MISSED_POLICIES, type Schedule, TICKED, type Tick } from './schedule.js'
import type { TickDocument, TimingInput } from './schedule-schema.js'
import { cronFault, isTimeZone } from './schedule-times.js'

/** The member of a record that says that it is a tick, and of which schedule. */
export function writeSchedule(schedule: Schedule): TickDocument {
  const { afterMs, cron, endAtMs, everyMs, expiresInMs, firedMs, isPaused, missed, startAtMs, timeZone } = schedule
  return {
    ...(cron !== undefined && { cron }),
    ...(timeZone !== undefined && { timeZone }),
    ...(everyMs !== undefined && { every: formatDuration(everyMs) }),
    startAt: formatInstant(startAtMs),
    ...(endAtMs !== undefined && { endAt: formatInstant(endAtMs) }),
    missed,
    ...(expiresInMs !== undefined && { expiresIn: formatDuration(expiresInMs) }),
    after: formatInstant(afterMs),
    ...(firedMs !== undefined && { fired: formatInstant(firedMs) }),
    ...(isPaused && { paused: true }),
  }
}

/** Reads it again, or what another producer wrote. @throws PosthasteError with every wrong field */
export function readSchedule(document: TickDocument, createdAtMs: number): Schedule {
  const errors: FieldError[] = []
  const fresh = readTiming(document, createdAtMs, '/schedule', errors)
  const expiresInMs = readDuration(document.expiresIn, '/schedule/expiresIn', 1, LIMITS.delayMsMax, errors)
  const afterMs = readInstant(document.after, '/schedule/after', errors)
  const firedMs = readInstant(document.fired, '/schedule/fired', errors)
  if (errors.length > 0) throw PosthasteError.ofFields(errors)
  return {
    ...fresh,
    ...(expiresInMs !== undefined && { expiresInMs }),
    ...(afterMs !== undefined && { afterMs }),
    ...(firedMs !== undefined && { firedMs }),
    isPaused: document.paused === true,
  }
}

/** The schedule that begins at `nowMs` as a client, or another producer, describes it. What is wrong is added to `errors`. */
export function readTiming(input: TimingInput, nowMs: number, pointer: string, errors: FieldError[]): Schedule {
  const { cron, every, missed = MISSED_POLICIES[0], timeZone } = input
  const add = (field: string, code: FieldError['code'], detail: string): void => {
    errors.push({ pointer: `${pointer}/${field}`, code, detail })
  }
  if (cron === undefined && every === undefined) add('cron', 'missing-field', 'Give cron or every.')
  if (cron !== undefined && every !== undefined) add('every', 'conflicting-fields', 'Give cron or every, not both.')
  if (timeZone !== undefined && cron === undefined)
    add('timeZone', 'conflicting-fields', 'An interval has no time zone.')
  const fault = cron === undefined ? undefined : cronFault(cron)
  if (fault !== undefined) add('cron', 'invalid-cron', fault)
  if (timeZone !== undefined && !isTimeZone(timeZone))
    add('timeZone', 'invalid-cron', 'This is not an IANA time zone such as "Europe/Berlin".')
  const everyMs = readDuration(every, `${pointer}/every`, LIMITS.scheduleEveryMsMin, LIMITS.delayMsMax, errors)
  const startAtMs = readInstant(input.startAt, `${pointer}/startAt`, errors)
  const endAtMs = readInstant(input.endAt, `${pointer}/endAt`, errors)
  return {
    ...(cron !== undefined && { cron }),
    ...(timeZone !== undefined && { timeZone }),
    ...(everyMs !== undefined && { everyMs }),
    startAtMs: startAtMs ?? nowMs,
    ...(endAtMs !== undefined && { endAtMs }),
    missed,
    // What was before it was asked for is not missed.
    afterMs: nowMs,
    isPaused: false,
  }
}

/** A tick as the journal has it. */
export interface TickEntry {
  readonly did: Tick['did']
  readonly after: string
  readonly fired?: string
}

export const TickEntrySchema = Type.Object({
  did: Type.Enum([...TICKED]),
  after: Type.String(),
  fired: Type.Optional(Type.String()),
})

export function writeTick({ afterMs, did, firedMs }: Tick): TickEntry {
  return { did, after: formatInstant(afterMs), ...(firedMs !== undefined && { fired: formatInstant(firedMs) }) }
}

/** Reads what `writeTick` wrote, its times by `instantOf`. */
export function readTick({ after, did, fired }: TickEntry, instantOf: (text: string) => number): Tick {
  return { did, afterMs: instantOf(after), ...(fired !== undefined && { firedMs: instantOf(fired) }) }
}

function readInstant(text: string | undefined, pointer: string, errors: FieldError[]): number | undefined {
  if (text === undefined) return undefined
  const ms = parseInstant(text)
  if (ms === undefined)
    errors.push({
      pointer,
      code: 'invalid-time',
      detail: 'This is not an RFC 3339 date-time such as 2026-12-24T18:00:00Z.',
    })
  return ms
}
