import { isUtf8 } from 'node:buffer'
import { createId, type ErrorCode, isJson, type NamedFunction, PosthasteError, parseInstruction } from '@posthaste/core'
import { checkNames } from '../named-urls.js'
import { type Doubt, doubtOf } from '../unauthenticated.js'
import type { Door, DoorAnswer, Streamed } from './door.js'
import type { Entrance } from './entrance.js'
import type { AnswerHead } from './function-proxy.js'
import type { House } from './house.js'
import { METHODS } from './router.js'
import { awsSignature } from './signatures/aws-signature.js'

const NAME = 'aws'
/** As Lambda tries again, whatever a function is invoked by: twice more, after one minute and two. */
export const LAMBDA_RETRY = {
  maxAttempts: 3,
  initialDelayMs: 60_000,
  factor: 2,
  maxDelayMs: 120_000,
  jitter: 'none',
  maxAgeMs: 21_600_000,
} as const
const TYPES = ['RequestResponse', 'Event', 'DryRun']
/** As much as Lambda takes where the function does not say. */
const AT_ONCE_BYTES_MAX = 6 * 1024 * 1024
const CONTEXT_LENGTH_MAX = 3_583
/** A name, an ARN or the end of one, with a version behind it or without, as Lambda reads them. */
const FUNCTION =
  /^(?:arn:aws[a-z-]*:lambda:)?(?:[a-z]{2}(?:-[a-z]+)+-\d:)?(?:\d{12}:)?(?:function:)?(?<name>[^:]+)(?::[^:]+)?$/
const JSON_TYPE = { 'content-type': 'application/json' }

/** AWS Lambda's API of invocations. */
export const aws: Door = {
  name: NAME,
  firstParts: ['2015-03-31', '2014-11-13', '2021-11-15'],
  paths: [
    {
      pattern: /^\/2015-03-31\/functions\/(?<name>[^/]+)\/invocations\/?$/,
      methods: ['POST'],
      scope: 'invoke',
      handle: (entrance, house, { name = '' }) => invoke(entrance, house, functionFor(name, house)),
    },
    {
      pattern: /^\/2014-11-13\/functions\/(?<name>[^/]+)\/invoke-async\/?$/,
      methods: ['POST'],
      scope: 'invoke',
      handle: (entrance, house, { name = '' }) => later(entrance, house, functionFor(name, house)),
    },
    { pattern: /^\/(2015-03-31|2014-11-13|2021-11-15)\//, methods: METHODS, scope: 'invoke', handle: refuse },
  ],
  signatures: [awsSignature],
  fail,
}

/** All versions are one here. */
function functionFor(encoded: string, house: House): NamedFunction {
  const text = decodeURIComponent(encoded)
  return house.functionFor(FUNCTION.exec(text)?.groups?.name ?? text, NAME)
}

/** What else the system has is not here. */
async function refuse(): Promise<never> {
  throw new PosthasteError('not-found', 'Of Lambda there are Invoke and InvokeAsync here, by POST.')
}

async function invoke(entrance: Entrance, house: House, fn: NamedFunction): Promise<DoorAnswer | Streamed> {
  const type = entrance.header('x-amz-invocation-type') ?? 'RequestResponse'
  if (!TYPES.includes(type))
    throw new PosthasteError('invalid-field', `X-Amz-Invocation-Type is one of ${TYPES.join(', ')}.`)
  if (type === 'Event') return later(entrance, house, fn)
  return type === 'DryRun' ? dryRun(entrance, fn) : now(entrance, house, fn)
}

/** Asks only whether it may. */
function dryRun(entrance: Entrance, { name }: NamedFunction): DoorAnswer {
  checkNames(parseInstruction({ function: name }, entrance.nowMs), entrance.caller)
  return { status: 204, headers: requestHeaders(entrance) }
}

async function later(entrance: Entrance, house: House, fn: NamedFunction): Promise<DoorAnswer> {
  const id = createId(entrance.nowMs)
  const body = checked(await entrance.bodyToKeep(fn))
  const { call } = await house.accept(entrance, {
    id,
    fn,
    body,
    retry: LAMBDA_RETRY,
    instruction: {
      function: fn.name,
      headers: { ...JSON_TYPE, ...requestHeaders(entrance, id) },
    },
    ...entrance.sameness(() => ({ function: fn.name, body: body.toString('base64') })),
  })
  return { status: 202, headers: { ...requestHeaders(entrance, call.id), 'x-amzn-remapped-content-length': '0' } }
}

async function now(entrance: Entrance, house: House, fn: NamedFunction): Promise<DoorAnswer | Streamed> {
  const headers = requestHeaders(entrance)
  const sent = { ...JSON_TYPE, ...headers, ...contextOf(entrance) }
  try {
    const body = checked(await entrance.body(fn.limits?.bodyBytes ?? AT_ONCE_BYTES_MAX))
    const answer = answered(headers)
    // The query is for us: it has the version.
    return await house.callNow(entrance, {
      fn,
      rest: '',
      search: '',
      method: fn.method ?? 'POST',
      headers: sent,
      body,
      answer,
    })
  } catch (error) {
    // To who calls a function it is an error of that function, whatever failed.
    if (!(error instanceof PosthasteError) || !error.code.startsWith('function-')) throw error
    const body = { errorMessage: error.message, errorType: error.code }
    return { status: 200, headers: { ...headers, 'x-amz-function-error': 'Unhandled' }, body }
  }
}

/** Of the client; a function gets it only at once. */
function contextOf(entrance: Entrance): Readonly<Record<string, string>> {
  const context = entrance.header('x-amz-client-context')
  if (context === undefined) return {}
  if (context.length <= CONTEXT_LENGTH_MAX) return { 'x-amz-client-context': context }
  throw new PosthasteError('invalid-field', `X-Amz-Client-Context has more than ${CONTEXT_LENGTH_MAX} characters.`)
}

/** What Lambda makes of what a function answers: that it failed stands in a header. A length may be that of another status. */
function answered(headers: Readonly<Record<string, string>>): (head: AnswerHead) => AnswerHead {
  return ({ headers: { 'content-encoding': encoding, 'content-type': type }, status }) => ({
    status: 200,
    headers: {
      ...headers,
      'content-type': type ?? 'application/json',
      ...(encoding !== undefined && { 'content-encoding': encoding }),
      'x-amz-executed-version': '$LATEST',
      ...((status < 200 || status > 299) && { 'x-amz-function-error': 'Unhandled' }),
    },
  })
}

/** What is sent is JSON, or nothing. */
function checked(body: Buffer): Buffer {
  if (body.length === 0 || (isUtf8(body) && isJson(body.toString()))) return body
  throw new PosthasteError('not-json', 'Could not parse request body into json.')
}

/** A trace goes on where there is one. */
function requestHeaders(entrance: Entrance, id = createId(entrance.nowMs)): Record<string, string> {
  const hex = id.replaceAll('-', '')
  const trace = entrance.header('x-amzn-trace-id') ?? `Root=1-${hex.slice(0, 8)}-${hex.slice(8)};Sampled=0`
  return { 'x-amzn-requestid': id, 'x-amzn-trace-id': trace }
}

/** The names of Lambda's errors, and their statuses where they are other than ours. */
const TYPE_OF: Readonly<Partial<Record<ErrorCode, readonly [type: string, status?: number]>>> = {
  'unknown-function': ['ResourceNotFoundException'],
  'not-found': ['UnknownOperationException'],
  'not-json': ['InvalidRequestContentException'],
  'too-large': ['RequestTooLargeException'],
  'depth-exceeded': ['RecursiveInvocationException', 400],
  'rate-limited': ['TooManyRequestsException'],
  'too-many-open': ['TooManyRequestsException'],
  forbidden: ['AccessDeniedException'],
}

/** The same of those that say why it is not known who asks. */
export const TYPE_OF_DOUBT: Readonly<Record<Doubt, string>> = {
  missing: 'MissingAuthenticationTokenException',
  'unknown-token': 'UnrecognizedClientException',
  'unknown-key': 'UnrecognizedClientException',
  incomplete: 'IncompleteSignatureException',
  invalid: 'InvalidSignatureException',
}

function fail(error: PosthasteError, status: number): DoorAnswer {
  const { message } = error
  const [type, other = status] = typeOf(error, status)
  return {
    status: other,
    headers: { ...JSON_TYPE, 'x-amzn-errortype': type },
    body: { Type: status < 500 ? 'User' : 'Server', Message: message, message },
  }
}

function typeOf(error: PosthasteError, status: number): readonly [type: string, status?: number] {
  const doubt = doubtOf(error)
  if (doubt) return [TYPE_OF_DOUBT[doubt], 403]
  return TYPE_OF[error.code] ?? (status < 500 ? ['InvalidParameterValueException', 400] : ['ServiceException'])
}
