import { ERRORS, type ErrorCode, type Log, PosthasteError } from '@posthaste/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Refusals } from './refusals.js'

/** Seconds after which to try again, for the errors that pass by themselves. */
const RETRY_AFTER: Partial<Record<ErrorCode, number>> = {
  'stream-unavailable': 1,
  overloaded: 1,
  'too-many-open': 1,
  stopping: 1,
  'view-behind': 1,
  'not-ready': 1,
  'stream-full': 30,
  sealed: 30,
}

/** An error as `application/problem+json` (RFC 9457), with our code, and the fields that are wrong. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly errors?: readonly { readonly pointer: string; readonly code: ErrorCode; readonly detail: string }[]
}

export function problemOf(error: PosthasteError): Problem {
  const { status, title } = ERRORS[error.code]
  return {
    type: `urn:posthaste:error:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...(error.fields.length > 0 && { errors: error.fields }),
  }
}

/** Answers a request with an error, and with what there is to say besides. */
export async function sendProblem(reply: FastifyReply, error: PosthasteError, more: object = {}): Promise<void> {
  const problem = { ...problemOf(error), ...more }
  const retryAfter = retryAfterOf(error)
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  // As bytes: to anything else fastify adds a charset, which this type does not have.
  await reply
    .code(problem.status)
    .type('application/problem+json')
    .send(Buffer.from(JSON.stringify(problem)))
}

/** After how many seconds to try again, for an error that passes by itself. */
export function retryAfterOf({ code }: PosthasteError): number | undefined {
  return RETRY_AFTER[code]
}

/** What a client may be told of an error that a route or fastify itself has thrown; undefined if that is nothing. */
export function asAnswer(error: unknown): PosthasteError | undefined {
  return isAnswer(error) ? error : ofFastify(error)
}

/** Makes a handler for whatever a route or fastify itself throws. */
export function problemHandler(log: Log, refusals: Refusals, onRefused: (code: ErrorCode) => void) {
  return async (error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const path = request.routeOptions.url
    const known = asAnswer(error)
    onRefused(known?.code ?? 'internal')
    if (known) {
      if (ERRORS[known.code].status === 503) refusals.refused(path ?? '', known)
      return sendProblem(reply, known)
    }
    log.error({ err: error, method: request.method, path }, 'a request failed')
    return sendProblem(reply, new PosthasteError('internal', 'The request failed; the log of this process says more.'))
  }
}

/** Whether a client may be told of it as it is. */
function isAnswer(error: unknown): error is PosthasteError {
  return error instanceof PosthasteError && error.code !== 'internal' && ERRORS[error.code].status > 0
}

function ofFastify(error: unknown): PosthasteError | undefined {
  const { code, statusCode } = Object(error) as { code?: string; statusCode?: number }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new PosthasteError('too-large', 'The request body is larger than any that is taken here.')
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new PosthasteError('unsupported-media-type', 'Send the request body as Content-Type: application/json.')
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new PosthasteError('bad-request', 'The HTTP request cannot be read.', { cause: error })
  }
  return undefined
}
