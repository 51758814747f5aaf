import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/schema'
import { type ErrorCode, type FieldError, PosthasteError } from './errors.js'
import { parseInstant } from './instant.js'
import { readTime } from './instruction.js'
import { InstructionSchema } from './instruction-schema.js'
import type { InvocationQuery } from './invocation.js'
import { Type } from './json-schema.js'
import { DEAD_LETTER_STATES, type InvocationState, PENDING_STATES } from './lifecycle.js'
import { LIMITS } from './limits.js'
import { schemaErrors } from './schema-errors.js'
import { checkUrl, originOf } from './url.js'

const Closed = { additionalProperties: false } as const

const batchLength = { minItems: 1, maxItems: LIMITS.batchInvocationsMax }
/** What a client sends to have many accepted at once. */
export const BatchSchema = Type.Object({ invocations: Type.Array(InstructionSchema, batchLength) }, Closed)
/** Each instruction is looked at by itself: one that is wrong harms no other. */
const readBatch = readerOf(Type.Object({ invocations: Type.Array(Type.Unknown(), batchLength) }, Closed))

const { delay, notBefore } = InstructionSchema.properties
/** What a client sends to move an invocation to another time: one of the two. */
export const MoveSchema = Type.Object({ notBefore, delay }, Closed)
const readMove = readerOf(MoveSchema)

/** Which invocations, of those in `states`; all that is given must hold. */
const Filter = <State extends InvocationState>(states: readonly State[]) =>
  Type.Object(
    {
      state: Type.Optional(
        Type.Array(Type.Enum([...states]), { minItems: 1, description: `Left out: ${states.join(', ')}.` }),
      ),
      target: Type.Optional(
        Type.String({ description: 'A URL, whose query does not matter, or an origin alone for everything there.' }),
      ),
      correlationId: Type.Optional(Type.String()),
      parent: Type.Optional(Type.String({ description: 'The invocation, or the schedule, that gave rise to them.' })),
      createdAfter: Type.Optional(Type.String({ description: 'Created from this RFC 3339 date-time on.' })),
      createdBefore: Type.Optional(Type.String({ description: 'Created before this RFC 3339 date-time.' })),
    },
    { ...Closed, description: 'All that is given must hold; an empty one is of all that can be meant.' },
  )

const bulkFields = {
  dryRun: Type.Optional(Type.Boolean({ description: 'Only count what matches.' })),
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: LIMITS.bulkInvocationsMax, description: 'How many this request is about.' }),
  ),
  cursor: Type.Optional(Type.String({ description: '`next` of the answer before.' })),
}

export const BulkRedriveSchema = Type.Object(
  {
    filter: Filter(DEAD_LETTER_STATES),
    rate: Type.Optional(
      Type.Number({
        minimum: LIMITS.redriveRateMin,
        maximum: LIMITS.redriveRateMax,
        description: 'Calls a second, on from one request to the next. Left out: all now.',
      }),
    ),
    ...bulkFields,
  },
  Closed,
)
const readBulkRedrive = readerOf(BulkRedriveSchema)

export const BulkCancelSchema = Type.Object({ filter: Filter(PENDING_STATES), ...bulkFields }, Closed)
const readBulkCancel = readerOf(BulkCancelSchema)

/** Which invocations a bulk operation is about. */
export type InvocationFilter = Omit<InvocationQuery, 'cursor' | 'limit'>

export interface BulkRequest {
  readonly filter: InvocationFilter
  readonly isDryRun: boolean
  readonly limit: number
  readonly cursor?: string
}

export interface BulkRedriveRequest extends BulkRequest {
  /** Calls a second. */
  readonly rate?: number
}

/** Returns the instructions of a batch, which are yet to be looked at. @throws PosthasteError with every wrong field */
export function parseBatch(input: unknown): readonly unknown[] {
  return readBatch(input).invocations
}

/** Returns the time to move an invocation to. `delay` counts from `nowMs`. @throws PosthasteError with every wrong field */
export function parseMove(input: unknown, nowMs: number): number {
  const errors: FieldError[] = []
  const span = { nowMs, latestMs: nowMs + LIMITS.delayMsMax }
  const dueMs = readTime(readMove(input), 'notBefore', 'delay', span, errors)
  if (errors.length > 0) throw PosthasteError.ofFields(errors)
  if (dueMs !== undefined) return dueMs
  throw PosthasteError.ofFields([{ pointer: '/notBefore', code: 'missing-field', detail: 'Give notBefore or delay.' }])
}

/** @throws PosthasteError with every wrong field */
export function parseBulkRedrive(input: unknown): BulkRedriveRequest {
  const { rate, ...bulk } = readBulkRedrive(input)
  return { ...bulkRequestOf(bulk, DEAD_LETTER_STATES), ...(rate !== undefined && { rate }) }
}

/** @throws PosthasteError with every wrong field */
export function parseBulkCancel(input: unknown): BulkRequest {
  return bulkRequestOf(readBulkCancel(input), PENDING_STATES)
}

/**
 * The form in which invocations with a target are looked for: the URL as it is called, or its origin where it has no path.
 * Undefined if it cannot be called.
 */
export function parseTargetFilter(text: string): string | undefined {
  const errors: FieldError[] = []
  const url = checkUrl(text, undefined, '', errors)
  if (errors.length > 0) return undefined
  return /^\w+:\/\/[^/?#]*$/.test(text) ? originOf(url) : url
}

type BulkInput = Static<typeof BulkCancelSchema> | Static<typeof BulkRedriveSchema>

function bulkRequestOf(input: BulkInput, states: readonly InvocationState[]): BulkRequest {
  const { cursor, dryRun = false, filter, limit = LIMITS.bulkInvocationsMax } = input
  const errors: FieldError[] = []
  const target = readField(filter, 'target', parseTargetFilter, 'invalid-url', errors)
  const createdAfterMs = readField(filter, 'createdAfter', parseInstant, 'invalid-time', errors)
  const createdBeforeMs = readField(filter, 'createdBefore', parseInstant, 'invalid-time', errors)
  if (errors.length > 0) throw PosthasteError.ofFields(errors)
  return {
    filter: {
      states: filter.state ? [...new Set(filter.state)] : states,
      ...(target !== undefined && { target }),
      ...(filter.correlationId !== undefined && { correlationId: filter.correlationId }),
      ...(filter.parent !== undefined && { parent: filter.parent }),
      ...(createdAfterMs !== undefined && { createdAfterMs }),
      ...(createdBeforeMs !== undefined && { createdBeforeMs }),
    },
    isDryRun: dryRun,
    limit,
    ...(cursor !== undefined && { cursor }),
  }
}

function readField<T>(
  filter: BulkInput['filter'],
  name: 'target' | 'createdAfter' | 'createdBefore',
  parse: (text: string) => T | undefined,
  code: ErrorCode,
  errors: FieldError[],
): T | undefined {
  const text = filter[name]
  const value = text === undefined ? undefined : parse(text)
  if (text !== undefined && value === undefined)
    errors.push({ pointer: `/filter/${name}`, code, detail: `"${text}" cannot be read.` })
  return value
}

/** Makes a reader that returns what it is given if that is as the schema says. */
function readerOf<T extends TSchema>(schema: T): (input: unknown) => Static<T> {
  const compiled = Compile(schema)
  return (input) => {
    if (!compiled.Check(input)) throw PosthasteError.ofFields(schemaErrors(compiled, input))
    return input as Static<T>
  }
}
