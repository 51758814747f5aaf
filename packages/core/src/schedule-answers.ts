import type { Static } from 'typebox'
import { ShownInstructionSchema } from './api-answers.js'
import { Type } from './json-schema.js'
import { timingFields } from './schedule-schema.js'

// What the API answers of schedules; open, as in api-answers.ts.

const Time = (description: string) => Type.String({ format: 'date-time', description })

/** `deleted` ones are not shown. */
export const SCHEDULE_STATES = ['active', 'paused', 'ended'] as const
export type ScheduleState = (typeof SCHEDULE_STATES)[number]

const Id = Type.String({ description: 'Of the schedule; its invocations have it as their parent.' })
const { expiresAt: _, notBefore: __, ...instructionFields } = ShownInstructionSchema.properties

export const ScheduleSchema = Type.Object(
  {
    id: Id,
    state: Type.Enum([...SCHEDULE_STATES], { description: 'One that has ended has no times any more.' }),
    ...timingFields,
    createdAt: Time(''),
    endedAt: Type.Optional(Time('')),
    nextRuns: Type.Array(Time(''), { description: 'The times to come; none while it is paused.' }),
    lastRun: Type.Optional(
      Type.Object({ at: Time('The time that it was for.'), id: Type.String({ description: 'Of the invocation.' }) }),
    ),
    pendingChange: Type.Optional(
      Type.Enum(['pause', 'resume', 'delete'], { description: 'What was asked of it and is not done yet.' }),
    ),
    instruction: Type.Object({
      target: Type.String(),
      method: Type.String(),
      correlationId: Type.Optional(Type.String()),
      ...instructionFields,
      expiresIn: Type.Optional(Type.String()),
    }),
  },
  { $id: 'Schedule' },
)

export const ScheduleListSchema = Type.Object({
  schedules: Type.Array(ScheduleSchema),
  next: Type.Optional(Type.String({ description: 'The cursor of the next page; missing on the last one.' })),
})

/** What was asked is not done yet. */
export const SteeringSchema = Type.Object({ id: Id, state: Type.Enum(['pausing', 'resuming', 'deleting']) })

export const DeletedScheduleSchema = Type.Object({ id: Id, state: Type.Literal('deleted') })

export type ScheduleDocument = Static<typeof ScheduleSchema>
export type ScheduleList = Static<typeof ScheduleListSchema>
