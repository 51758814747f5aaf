import {
  DeletedScheduleSchema,
  LIMITS,
  parseSchedule,
  SCHEDULE_STATES,
  ScheduleListSchema,
  ScheduleRequestSchema,
  ScheduleSchema,
  SteeringSchema,
} from '@posthaste/core'
import { json, operation } from './operation.js'
import {
  ACCEPT_HEADERS,
  CHANGE_PROBLEMS,
  INSTRUCTION_BYTES_MAX,
  INSTRUCTION_PROBLEMS,
  STREAM_PROBLEMS,
} from './operation-parts.js'
import { duration, integer, text, words } from './parameter.js'

const query = {
  wait: duration('Answers once that is done, or after so long; 5s if left out.', LIMITS.waitMsMax),
}

export const createSchedule = operation({
  id: 'createSchedule',
  method: 'POST',
  path: '/schedules',
  summary: 'Takes an instruction to make an HTTP call again and again.',
  scope: 'invoke',
  query: {},
  headers: ACCEPT_HEADERS,
  body: { schema: ScheduleRequestSchema, bytesMax: INSTRUCTION_BYTES_MAX, read: parseSchedule },
  answers: {
    201: json('It is on the stream.', ScheduleSchema, {
      Location: 'Where the schedule is shown.',
      'Idempotency-Replayed': '`true` if an earlier request with the key was taken.',
    }),
  },
  problems: [
    ...INSTRUCTION_PROBLEMS,
    'invalid-cron',
    'invalid-key',
    'key-reused',
    'view-behind',
    'too-many-open',
    ...STREAM_PROBLEMS,
  ],
})

export const listSchedules = operation({
  id: 'listSchedules',
  method: 'GET',
  path: '/schedules',
  summary: 'Lists schedules, newest first.',
  scope: 'read',
  query: {
    state: words('Those in one of these states.', SCHEDULE_STATES),
    limit: integer('How many at the most; 50 if left out.', 1, LIMITS.listSchedulesMax),
    cursor: text('`next` of the page before, with the same filters.'),
  },
  answers: {
    200: json('A page, each with its next run alone. Only `next` tells whether there is another.', ScheduleListSchema, {
      Link: 'The next page, if there is one.',
    }),
  },
  problems: [],
})

export const getSchedule = operation({
  id: 'getSchedule',
  method: 'GET',
  path: '/schedules/{id}',
  summary: 'Shows a schedule.',
  scope: 'read',
  query: { runs: integer('So many of the times to come; 5 if left out.', 0, LIMITS.scheduleRunsMax) },
  answers: { 200: json('What is known of it.', ScheduleSchema) },
  problems: ['not-found', 'view-behind'],
})

export const pauseSchedule = operation({
  id: 'pauseSchedule',
  method: 'POST',
  path: '/schedules/{id}/pause',
  summary: 'Pauses a schedule: nothing is called at its times until it is resumed.',
  scope: 'control',
  query,
  answers: {
    200: json('It is paused.', ScheduleSchema),
    202: json('It is being paused.', SteeringSchema),
  },
  problems: ['already-ended', ...CHANGE_PROBLEMS],
})

export const resumeSchedule = operation({
  id: 'resumeSchedule',
  method: 'POST',
  path: '/schedules/{id}/resume',
  summary: 'Has a schedule go on that was paused.',
  scope: 'control',
  query,
  answers: {
    200: json('It goes on.', ScheduleSchema),
    202: json('It is about to go on.', SteeringSchema),
  },
  problems: ['already-ended', ...CHANGE_PROBLEMS],
})

export const deleteSchedule = operation({
  id: 'deleteSchedule',
  method: 'DELETE',
  path: '/schedules/{id}',
  summary: 'Deletes a schedule. What it has called already goes on.',
  scope: 'control',
  query,
  answers: {
    200: json('It is deleted.', DeletedScheduleSchema),
    202: json('It is being deleted.', SteeringSchema),
  },
  problems: ['already-ended', ...CHANGE_PROBLEMS],
})
