import { encodeCall } from './call-codec.js'
import { type CallLine, callLineOf, readCallLine } from './call-line.js'
import type { Directive } from './directive.js'
import type { Schedule, TickCall } from './schedule.js'
import type { ScheduleState } from './schedule-answers.js'

/** What is shown of a schedule: without secrets. Times in milliseconds since the Unix epoch. */
export interface ShownSchedule {
  readonly id: string
  readonly state: ScheduleState | 'deleted'
  readonly createdAtMs: number
  readonly endedAtMs?: number
  readonly schedule: Schedule
  readonly call: CallLine
  /** What was asked of it. */
  readonly directive?: Pick<Directive, 'kind' | 'isDone'>
}

/** How a schedule has ended. */
export interface ScheduleEnd {
  readonly state: 'ended' | 'deleted'
  readonly atMs: number
}

/** Which schedules to list. */
export interface ScheduleQuery {
  /** Whose; left out for the operator's own. */
  readonly tenant?: string
  readonly states?: readonly ScheduleState[]
  /** `next` of the page before. */
  readonly cursor?: string
  readonly limit: number
}

/** Newest first. */
export interface SchedulePage {
  /** `limit` at the most; fewer, or none, where very many had to be looked at that do not match. */
  readonly items: readonly ShownSchedule[]
  /** There is more to look at, from here on. */
  readonly next?: string
}

/** Shows a schedule by the tick that it waits for, or with which it ended. */
export function shownSchedule(tick: TickCall, end?: ScheduleEnd, directive?: Directive): ShownSchedule {
  const { acceptedAtMs, id, schedule } = tick
  return {
    id,
    state: end?.state ?? (schedule.isPaused ? 'paused' : 'active'),
    createdAtMs: acceptedAtMs,
    ...(end && { endedAtMs: end.atMs }),
    schedule,
    call: readCallLine(callLineOf(encodeCall(tick)) as Uint8Array) as CallLine,
    ...(directive && !end && { directive: { kind: directive.kind, isDone: directive.isDone } }),
  }
}
