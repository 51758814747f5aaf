import { firingId, formatInstant, type ShownSchedule, timesAfter } from '@posthaste/core'
import { duration, instant, shownInstruction } from './invocation-document.js'

/** A schedule as the API shows it, with so many of the times to come. Fields that say nothing are undefined, and so left out. */
export function scheduleDocument(shown: ShownSchedule, nowMs: number, runs: number): object {
  const { call, directive, id, schedule, state } = shown
  const { afterMs, firedMs } = schedule
  const { expiresAtMs: _, notBeforeMs: __, ...instruction } = call.instruction
  const times = state === 'active' ? timesAfter(schedule, Math.max(afterMs, nowMs), runs) : []
  return {
    id,
    state,
    cron: schedule.cron,
    timeZone: schedule.timeZone,
    every: duration(schedule.everyMs),
    startAt: formatInstant(schedule.startAtMs),
    endAt: instant(schedule.endAtMs),
    missed: schedule.missed,
    createdAt: formatInstant(shown.createdAtMs),
    endedAt: instant(shown.endedAtMs),
    nextRuns: times.map(formatInstant),
    lastRun: firedMs === undefined ? undefined : { at: formatInstant(firedMs), id: firingId(id, firedMs) },
    pendingChange: directive && !directive.isDone ? changeOf(directive.kind) : undefined,
    instruction: {
      target: call.target,
      method: call.method,
      correlationId: call.correlationId,
      ...shownInstruction(instruction),
      expiresIn: duration(schedule.expiresInMs),
    },
  }
}

function changeOf(kind: NonNullable<ShownSchedule['directive']>['kind']): string {
  return kind === 'cancel' ? 'delete' : kind
}
