import type { Static } from 'typebox'
import { ERRORS, type ErrorCode } from './errors.js'
import { InstructionSchema } from './instruction-schema.js'
import { Type } from './json-schema.js'
import { INVOCATION_STATES } from './lifecycle.js'

// What the API answers. A schema with an `$id` has a name of its own in the OpenAPI document. All are open: a client must
// bear fields that it does not know.

const Time = (description: string) => Type.String({ format: 'date-time', description })
const Count = (description: string) => Type.Integer({ minimum: 0, description })
const Id = Type.String({ description: 'Of the invocation; a UUID of version 7 unless another producer chose it.' })
const State = Type.Enum([...INVOCATION_STATES], { $id: 'State' })
const Code = Type.Enum(Object.keys(ERRORS) as ErrorCode[])
const HeadersSchema = Type.Record(Type.String(), Type.Union([Type.String(), Type.Array(Type.String())]))
const CorrelationId = Type.Optional(Type.String())

export const ReceiptSchema = Type.Object(
  {
    id: Id,
    state: Type.Enum(['queued', 'scheduled']),
    correlationId: CorrelationId,
    notBefore: Type.Optional(Time('Not called before.')),
  },
  { $id: 'Receipt' },
)

const FailureSchema = Type.Object({ code: Code, detail: Type.String() }, { $id: 'Failure' })

const AttemptSchema = Type.Object(
  {
    generation: Type.Integer({ minimum: 1 }),
    attempt: Type.Integer({ minimum: 1, description: 'Which of its generation.' }),
    answered: Type.Optional(Count('How many attempts before it were answered; left out for none.')),
    startedAt: Time('When the call began.'),
    durationMs: Type.Number({ minimum: 0 }),
    status: Type.Optional(Type.Integer({ description: 'What the target answered.' })),
    failure: Type.Optional(FailureSchema),
    listener: Type.Optional(Type.String({ description: 'Who made the call.' })),
  },
  { $id: 'Attempt' },
)

const responseFields = {
  status: Type.Integer(),
  bodyBytes: Count('Size of the whole body.'),
  bodyKept: Type.Boolean({ description: 'Whether it can be had: one beyond the limit is not kept.' }),
}

const { expiresAt, notBefore, onFailure, onSuccess, retry, timeout } = InstructionSchema.properties

export const ShownInstructionSchema = Type.Object(
  {
    headers: HeadersSchema,
    bodyBytes: Count('Size of the body.'),
    forwardTo: Type.Optional(Type.String({ description: 'The URL that gets the final response.' })),
    onSuccess,
    onFailure,
    notBefore,
    expiresAt,
    timeout,
    retry,
  },
  { description: 'The rest of what was asked for. The values of headers that hold secrets are "***".' },
)

const summaryFields = {
  id: Id,
  state: State,
  generation: Type.Integer({ minimum: 1, description: '1 at first; a redrive starts the next one.' }),
  attemptsMade: Count('Calls made in this generation that have ended.'),
  attemptsAnswered: Count('Of these, those that the target answered.'),
  createdAt: Time('When it was accepted.'),
  endedAt: Type.Optional(Time('When it came to its final state.')),
  nextAttemptAt: Type.Optional(Time('When the next call is due.')),
  target: Type.Optional(Type.String({ description: 'Missing, as the method, if the record could not be read.' })),
  method: Type.Optional(Type.String()),
  correlationId: CorrelationId,
  parent: Type.Optional(
    Type.String({ description: 'The invocation whose end this one tells of, or the schedule that it is made for.' }),
  ),
  failure: Type.Optional(FailureSchema),
  response: Type.Optional(Type.Object(responseFields)),
  forward: Type.Optional(
    Type.Object(
      { id: Type.Optional(Type.String()), refused: Type.Optional(Code) },
      { description: 'The invocation that forwards the response, or why there is none.' },
    ),
  ),
  destination: Type.Optional(
    Type.Object(
      { id: Type.Optional(Type.String()), refused: Type.Optional(Code) },
      { description: 'The invocation that tells onSuccess or onFailure, or why there is none.' },
    ),
  ),
  pendingChange: Type.Optional(
    Type.Object(
      {
        kind: Type.Enum(['cancel', 'move']),
        notBefore: Type.Optional(Time('Of a move: to when.')),
      },
      { description: 'What was asked of it and is not done yet.' },
    ),
  ),
}

export const InvocationSummarySchema = Type.Object(summaryFields, { $id: 'InvocationSummary' })

export const InvocationSchema = Type.Object(
  {
    ...summaryFields,
    instruction: Type.Optional(ShownInstructionSchema),
    attempts: Type.Array(AttemptSchema, {
      description: 'Calls that have ended, of all generations, oldest first; the newest 200 are kept.',
    }),
    response: Type.Optional(Type.Object({ ...responseFields, headers: HeadersSchema })),
  },
  { $id: 'Invocation' },
)

export const InvocationListSchema = Type.Object({
  invocations: Type.Array(InvocationSummarySchema),
  next: Type.Optional(Type.String({ description: 'The cursor of the next page; missing on the last one.' })),
})

export const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Code,
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({ description: 'JSON pointer (RFC 6901) into what was sent.' }),
          code: Code,
          detail: Type.String(),
        }),
      ),
    ),
  },
  { $id: 'Problem', description: 'RFC 9457.' },
)

export const BatchReceiptSchema = Type.Object({
  results: Type.Array(
    Type.Union([
      Type.Object({ status: Type.Literal(202), ...ReceiptSchema.properties }),
      Type.Object({ status: Type.Integer({ minimum: 400 }), problem: ProblemSchema }),
    ]),
    { description: 'One for each instruction, in their order.' },
  ),
})

export const CancellingSchema = Type.Object({ id: Id, state: Type.Literal('cancelling') })

export const MovingSchema = Type.Object({
  id: Id,
  state: Type.Literal('moving'),
  notBefore: Time('To when.'),
})

export const RedrivenSchema = Type.Object({
  id: Id,
  generation: Type.Integer({ minimum: 2 }),
  state: Type.Literal('queued'),
})

export const BulkReportSchema = Type.Object({
  matched: Count('Invocations that this request looked at.'),
  done: Count('Of these, what it redrove, or asked to be cancelled.'),
  skipped: Count('Of these, what another request had done, what had ended, or what is not known well enough.'),
  next: Type.Optional(
    Type.String({ description: 'There is more: send the same again with this as `cursor`. Missing at the end.' }),
  ),
})

export const StatsSchema = Type.Object({
  states: Type.Record(State, Count('Invocations in this state.')),
  pendingChanges: Count('What was asked of invocations and is still looked out for.'),
  oldestWaiting: Type.Optional(
    Type.Object(
      { createdAt: Time('When it was accepted.'), ageMs: Type.Number({ minimum: 0 }) },
      { description: 'Of those that are queued.' },
    ),
  ),
  nextDueAt: Type.Optional(Time('When the next one that is scheduled or retrying is due.')),
  rates: Type.Optional(
    Type.Object(
      { acceptedPerSecond: Type.Number({ minimum: 0 }), endedPerSecond: Type.Number({ minimum: 0 }) },
      { description: 'Of the last minute, of all that the view shows.' },
    ),
  ),
  view: Type.Object({
    behindMs: Type.Optional(
      Type.Number({ minimum: 0, description: 'All this is true of a moment so long ago. Missing: not known.' }),
    ),
  }),
  listener: Type.Optional(Type.Object({}, { description: 'How far the listener in this process is.' })),
})

export const ReadinessSchema = Type.Object({
  status: Type.Literal('ready'),
  reasons: Type.Array(Type.String()),
  clock: Type.Optional(Type.Object({ aheadMs: Type.Number(), uncertaintyMs: Type.Number() })),
})

export const LivenessSchema = Type.Object({ status: Type.Literal('alive') })

export const CycleReportSchema = Type.Object({
  drained: Type.Boolean({ description: 'Whether all that was there at the ping is done.' }),
})

export type ReceiptDocument = Static<typeof ReceiptSchema>
export type InvocationDocument = Static<typeof InvocationSchema>
export type InvocationSummary = Static<typeof InvocationSummarySchema>
export type InvocationList = Static<typeof InvocationListSchema>
export type BatchReceipt = Static<typeof BatchReceiptSchema>
export type BulkReport = Static<typeof BulkReportSchema>
export type StatsDocument = Static<typeof StatsSchema>
