import type { ScheduleDocument } from '@posthaste/core'
import { fromNow, localTime } from './moment.js'
import { Table } from './table.js'

/** What an answer says of the schedule that it is about: all of it, or how far a change is. */
export interface ToldSchedule extends Partial<Pick<ScheduleDocument, 'nextRuns'>> {
  readonly id: string
  readonly state: string
}

/** Says in one line how a schedule stands. */
export function summarizeSchedule({ id, nextRuns = [], state }: ToldSchedule): string {
  return [id, state, ...nextRuns.slice(0, 1).map((time) => localTime(time))].join('  ')
}

/** Says in lines all that is known of a schedule. */
export function describeSchedule(schedule: ScheduleDocument): string {
  const facts = factsOf(schedule).filter((fact): fact is [string, string] => fact[1] !== undefined)
  const lines = [`${schedule.id}  ${schedule.state}`, new Table().lines(facts)]
  if (schedule.nextRuns.length > 0) lines.push('', '  NEXT', ...schedule.nextRuns.map((time) => `  ${localTime(time)}`))
  return lines.join('\n')
}

/** A schedule as a row of a list. */
export function rowOfSchedule(schedule: ScheduleDocument): string[] {
  const { id, lastRun, nextRuns, state } = schedule
  const next = nextRuns[0]
  return [
    id,
    state,
    timingOf(schedule),
    next ? fromNow(next) : '',
    lastRun ? fromNow(lastRun.at) : '',
    callOf(schedule),
  ]
}

export const SCHEDULE_COLUMNS = ['ID', 'STATE', 'WHEN', 'NEXT', 'LAST', 'CALL']

function factsOf(schedule: ScheduleDocument): [string, string | undefined][] {
  const { createdAt, endAt, endedAt, instruction, lastRun, missed, pendingChange, startAt } = schedule
  return [
    ['  call', callOf(schedule)],
    ['  when', timingOf(schedule)],
    ['  missed', missed],
    ['  from', startAt && localTime(startAt)],
    ['  to', endAt && localTime(endAt)],
    ['  created', localTime(createdAt)],
    ['  ended', endedAt && localTime(endedAt)],
    ['  correlation', instruction.correlationId],
    ['  last run', lastRun && `${localTime(lastRun.at)}  ${lastRun.id}`],
    ['  asked for', pendingChange && `${pendingChange}, not done yet`],
  ]
}

function timingOf({ cron, every, timeZone }: ScheduleDocument): string {
  if (cron === undefined) return `every ${every}`
  return timeZone === undefined ? cron : `${cron} ${timeZone}`
}

function callOf({ instruction }: ScheduleDocument): string {
  return `${instruction.method} ${instruction.target}`
}
