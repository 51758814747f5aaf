import { Compile } from 'typebox/schema'
import { type FieldError, PosthasteError } from './errors.js'
import { type CallContent, parseInstruction } from './instruction.js'
import { InstructionSchema } from './instruction-schema.js'
import { Type } from './json-schema.js'
import type { Schedule } from './schedule.js'
import { readTiming } from './schedule-codec.js'
import { timingFields } from './schedule-schema.js'
import { nextTimeMs } from './schedule-times.js'
import { schemaErrors } from './schema-errors.js'

const Closed = { additionalProperties: false } as const

const { delay, expiresAt, notBefore, ...instructionFields } = InstructionSchema.properties
const ELSEWHERE = Object.keys({ delay, expiresAt, notBefore })

/** What a client POSTs to `/schedules`. */
export const ScheduleRequestSchema = Type.Object(
  {
    ...timingFields,
    instruction: Type.Object(instructionFields, {
      ...Closed,
      $id: 'RecurringInstruction',
      description: 'What is called each time. `expiresIn` counts from each.',
    }),
  },
  { ...Closed, $id: 'ScheduleRequest' },
)

// The instruction is looked at by itself.
const schema = Compile(Type.Object({ ...timingFields, instruction: Type.Unknown() }, Closed))

/** What a schedule becomes once somebody says who it is. */
export type ScheduleContent = CallContent & { readonly schedule: Schedule }

/** Checks a schedule as a client sent it. It begins at `nowMs`. @throws PosthasteError with every wrong field in `fields` */
export function parseSchedule(input: unknown, nowMs: number): ScheduleContent {
  if (!schema.Check(input)) throw PosthasteError.ofFields(schemaErrors(schema, input))
  const errors: FieldError[] = []
  const timing = readTiming(input, nowMs, '', errors)
  const content = readInstruction(input.instruction, nowMs, errors)
  if (errors.length === 0 && nextTimeMs(timing, nowMs) === undefined) {
    const pointer = timing.endAtMs === undefined ? '/cron' : '/endAt'
    errors.push({ pointer, code: 'invalid-time', detail: 'There is no time at which it would be called.' })
  }
  if (errors.length > 0) throw PosthasteError.ofFields(errors)
  const { expiresAtMs, ...called } = content as CallContent
  return { ...called, schedule: { ...timing, ...(expiresAtMs !== undefined && { expiresInMs: expiresAtMs - nowMs }) } }
}

function readInstruction(input: unknown, nowMs: number, errors: FieldError[]): CallContent | undefined {
  for (const field of ELSEWHERE) {
    if (!(field in Object(input))) continue
    errors.push({ pointer: `/instruction/${field}`, code: 'conflicting-fields', detail: 'The schedule says when.' })
  }
  try {
    return parseInstruction(input, nowMs)
  } catch (error) {
    if (!(error instanceof PosthasteError)) throw error
    for (const field of error.fields) errors.push({ ...field, pointer: `/instruction${field.pointer}` })
    return undefined
  }
}
