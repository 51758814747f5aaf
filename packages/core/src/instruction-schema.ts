import type { Static } from 'typebox'
import { Settings } from 'typebox/system'
import { DESTINATION_FORMATS } from './destination.js'
import { ID_PATTERN } from './ids.js'
import { Type } from './json-schema.js'
import { LIMITS } from './limits.js'
import { CALL_ERRORS, STATUSES_PATTERN } from './retry-policy.js'
import { TickSchema } from './schedule-schema.js'
import { TENANT_PATTERN } from './scope.js'
import { FUNCTION_NAME } from './url.js'

// Eight unless told otherwise: too few to name every wrong field, for a union counts each of its branches.
Settings.Set({ maxErrors: 128 })

const Closed = { additionalProperties: false } as const

const Duration = (description: string) =>
  Type.String({ description: `${description} Written "250ms", "10s", "10m", "2h", "7d", or as ISO 8601 ("PT10M").` })

const Time = (description: string) => Type.String({ description: `${description} An RFC 3339 date-time.` })

// The pattern of a plain string key is `.*`, which lets what has a line break in its name pass unchecked.
const AnyKey = Type.String({ pattern: '[^]?' })

const QueryValue = Type.Union([Type.String(), Type.Number(), Type.Boolean()])

const Retry = Type.Object(
  {
    maxAttempts: Type.Optional(
      Type.Integer({ minimum: 1, maximum: LIMITS.retryAttemptsMax, description: 'Calls in all, the first included.' }),
    ),
    initialDelay: Type.Optional(Duration('Wait before the second attempt.')),
    factor: Type.Optional(
      Type.Number({ minimum: 1, maximum: LIMITS.retryFactorMax, description: 'What each wait is multiplied by.' }),
    ),
    maxDelay: Type.Optional(Duration('Longest wait between two attempts.')),
    jitter: Type.Optional(
      Type.Union([Type.Literal('none'), Type.Literal('equal'), Type.Literal('full')], {
        description: 'How much of each wait is left to chance: nothing, half of it, or all.',
      }),
    ),
    maxAge: Type.Optional(Duration('No attempt begins later than this after the first one could be made.')),
    statuses: Type.Optional(
      Type.Array(
        Type.Union([Type.Integer({ minimum: 300, maximum: 599 }), Type.String({ pattern: STATUSES_PATTERN })]),
        {
          maxItems: LIMITS.retryEntriesMax,
          description: 'Which answers are tried again: 503, "5xx" or "502-599".',
        },
      ),
    ),
    errors: Type.Optional(
      Type.Array(Type.Enum([...CALL_ERRORS]), {
        maxItems: LIMITS.retryEntriesMax,
        description: 'Which ends without a whole answer are tried again.',
      }),
    ),
  },
  Closed,
)

const destinationFields = { url: Type.String(), format: Type.Optional(Type.Enum([...DESTINATION_FORMATS])) }

const Destination = (description: string, isClosed = true) =>
  Type.Union([Type.String(), Type.Object(destinationFields, isClosed ? Closed : {})], { description })

const forwardFields = {
  headers: Type.Optional(
    Type.Record(AnyKey, Type.String(), {
      maxProperties: LIMITS.forwardHeadersMax,
      description: 'More headers for it; `{id}`, `{status|503}` and others in their values stand for what they are.',
    }),
  ),
  passHeaders: Type.Optional(Type.Boolean({ description: 'Whether it gets the headers of the response, too.' })),
}
const Forward = Type.Object(forwardFields)
export type ForwardInput = Static<typeof Forward>

const ForwardTo = (options: { readonly additionalProperties?: false }) =>
  Type.Union([Type.String(), Type.Object({ url: Type.String(), ...forwardFields }, options)], {
    description: 'The URL that gets the final response by POST, or that and the headers that it gets.',
  })

const instructionFields = {
  target: Type.Optional(Type.String({ description: 'The absolute http or https URL to call.' })),
  function: Type.Optional(
    Type.String({ pattern: `^${FUNCTION_NAME}$`, description: 'The named function to call, instead of a target.' }),
  ),
  path: Type.Optional(
    Type.String({ pattern: '^[/?]', description: "Path and query behind the function's own. Only with function." }),
  ),
  method: Type.Optional(
    Type.String({
      pattern: '^[A-Z][A-Z-]*$',
      maxLength: LIMITS.methodLengthMax,
      description: 'If left out that of the function, or POST.',
    }),
  ),
  headers: Type.Optional(Type.Record(AnyKey, Type.Union([Type.String(), Type.Array(Type.String())]))),
  query: Type.Optional(
    Type.Record(AnyKey, Type.Union([QueryValue, Type.Array(QueryValue)]), {
      maxProperties: LIMITS.queryParametersMax,
      description: "Appended to the target's own query.",
    }),
  ),
  body: Type.Optional(Type.Unknown({ description: 'A string is sent as it is, anything else as JSON.' })),
  bodyEncoding: Type.Optional(
    Type.Union([Type.Literal('json'), Type.Literal('text'), Type.Literal('base64')], {
      description: 'How a string body is meant; text if left out.',
    }),
  ),
  forwardTo: Type.Optional(ForwardTo(Closed)),
  onSuccess: Type.Optional(Destination('The URL that gets a record of its success by POST, or that and its format.')),
  onFailure: Type.Optional(Destination('The same for its failure, or when it has expired.')),
  correlationId: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: LIMITS.correlationIdLengthMax,
      pattern: '^[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$',
    }),
  ),
  notBefore: Type.Optional(Time('Do not call before this time.')),
  delay: Type.Optional(Duration('Do not call before this has passed. Not together with notBefore.')),
  timeout: Type.Optional(Duration('Longest time that one call may take, from start to the end of the response.')),
  expiresAt: Type.Optional(Time('Do not call from this time on.')),
  expiresIn: Type.Optional(Duration('Do not call once this has passed. Not together with expiresAt.')),
  retry: Type.Optional(Retry),
}

/** What a client POSTs to `/invocations`. Unknown fields are refused, so that a typing error is noticed. */
export const InstructionSchema = Type.Object(instructionFields, { ...Closed, $id: 'Instruction' })

/**
 * The JSON document of a record on `calls`: an instruction with what Posthaste added. Other producers need to give
 * nothing but the instruction. Unknown fields are ignored, so that a newer producer does no harm.
 */
export const CallDocumentSchema = Type.Object({
  ...instructionFields,
  retry: Type.Optional(Type.Object(Retry.properties)),
  forwardTo: Type.Optional(ForwardTo({})),
  forwardWith: Type.Optional(Forward),
  onSuccess: Type.Optional(Destination('', false)),
  onFailure: Type.Optional(Destination('', false)),
  v: Type.Optional(Type.Integer({ minimum: 1 })),
  id: Type.Optional(Type.String({ pattern: ID_PATTERN })),
  generation: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  // Of a schedule each tick is one.
  attempt: Type.Optional(Type.Integer({ minimum: 1, maximum: 999_999_999 })),
  answered: Type.Optional(Type.Integer({ minimum: 0, maximum: LIMITS.retryAttemptsMax })),
  acceptedAt: Type.Optional(Time('When the instruction was accepted.')),
  since: Type.Optional(Time('When the first attempt could be made.')),
  parent: Type.Optional(Type.String({ pattern: ID_PATTERN })),
  tenant: Type.Optional(Type.String({ pattern: TENANT_PATTERN })),
  move: Type.Optional(Type.Integer({ minimum: 0 })),
  depth: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000 })),
  schedule: Type.Optional(TickSchema),
  bodyBytes: Type.Optional(Type.Integer({ minimum: 0 })),
})

export type InstructionInput = Static<typeof InstructionSchema>
export type CallDocument = Static<typeof CallDocumentSchema>
