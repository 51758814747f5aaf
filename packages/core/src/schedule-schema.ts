import type { Static } from 'typebox'
import { Type } from './json-schema.js'
import { LIMITS } from './limits.js'
import { MISSED_POLICIES } from './schedule.js'

const Text = (description: string) => Type.Optional(Type.String({ description }))

/** When the times of a schedule are. */
export const timingFields = {
  cron: Type.Optional(
    Type.String({
      maxLength: LIMITS.cronLengthMax,
      description:
        'Minute, hour, day of the month, month and day of the week; with a field for the second before them if there are six. Or @hourly, @daily, @weekly, @monthly or @yearly.',
    }),
  ),
  timeZone: Text('By whose clock the expression goes: an IANA name such as "Europe/Berlin". UTC if left out.'),
  every: Text('The time from one call to the next, instead of a cron expression. A duration such as "10s" or "PT1H".'),
  startAt: Text(
    'Not before this time; intervals count from it. An RFC 3339 date-time. When it was created if left out.',
  ),
  endAt: Text('Not after this time. An RFC 3339 date-time.'),
  missed: Type.Optional(
    Type.Enum([...MISSED_POLICIES], {
      description:
        'What is done about times that were missed: one call for all of them, or nothing. "once" if left out.',
    }),
  ),
}

/** What the record of a tick says of its schedule. */
export const TickSchema = Type.Object({
  ...timingFields,
  expiresIn: Type.Optional(Type.String()),
  after: Type.Optional(Type.String()),
  fired: Type.Optional(Type.String()),
  paused: Type.Optional(Type.Boolean()),
})

const Timing = Type.Object(timingFields)

export type TimingInput = Static<typeof Timing>
export type TickDocument = Static<typeof TickSchema>
