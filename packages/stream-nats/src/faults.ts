import { PosthasteError } from '@posthaste/core'
import { ErrorCode, NatsError } from 'nats'

/** What the server says when it refuses a message: https://github.com/nats-io/nats-server, `server/errors.json`. */
export interface ApiFault {
  readonly code: number
  readonly err_code: number
  readonly description: string
}

/** The second one while a message of the same subject is on its way to the replicas. */
const WRONG_LAST_SEQUENCE = new Set([10071, 10164])
/** Accounts and servers that are out of space, and files that cannot grow. */
const FULL = new Set([10002, 10023, 10028, 10047, 10077])
const TOO_LARGE = 10054
const TOO_MANY_REQUESTS = 10167

/** The subject has a message already, or is about to have one, where none was expected. */
export class Taken extends Error {}

/** What a refused message rejects with. */
export function faultOf(fault: ApiFault): Error {
  const { err_code: code, description } = fault
  if (WRONG_LAST_SEQUENCE.has(code)) return new Taken(description)
  if (FULL.has(code)) return new PosthasteError('stream-full', `The NATS server has no room: ${description}.`)
  if (code === TOO_LARGE) return new PosthasteError('too-large', `The NATS server refuses a message: ${description}.`)
  if (code === TOO_MANY_REQUESTS) return new PosthasteError('overloaded', `The NATS server is busy: ${description}.`)
  return unavailable(`The NATS server refuses a message: ${description} (${code}).`)
}

export function unavailable(detail: string, cause?: unknown): PosthasteError {
  return new PosthasteError('stream-unavailable', detail, { cause })
}

export function unfit(detail: string, cause?: unknown): PosthasteError {
  return new PosthasteError('stream-unfit', detail, { cause })
}

/** Whether the same thing may succeed later. */
export function mayPass(error: unknown): boolean {
  return error instanceof PosthasteError && error.code !== 'too-large' && error.code !== 'stream-unfit'
}

/** What a library call rejects with once the start has found everything fit. */
export function callFault(error: unknown): PosthasteError {
  if (error instanceof PosthasteError) return error
  return unavailable(`NATS cannot do it now: ${(error as Error).message}.`, error)
}

/**
 * What a library call of the start rejects with: wrong settings stop the start, an absent server does not.
 * `hasJetStream` is what the server says of itself.
 */
export function startFault(error: unknown, hasJetStream = false): PosthasteError {
  if (error instanceof PosthasteError) return error
  const { message, code = '' } = error as Error & { readonly code?: string }
  if (CERTIFICATE.test(code)) {
    return unfit(`The certificate of the NATS server is not trusted: ${message}. Set the CA's file.`, error)
  }
  if (!(error instanceof NatsError)) return unavailable(`NATS cannot be reached: ${message}.`, error)
  if (error.isAuthError() || AUTH_CODES.has(error.code)) {
    return unfit(`NATS refuses the credentials: ${message}. Set a user, token or credentials file it knows.`, error)
  }
  if (error.code === ErrorCode.ServerOptionNotAvailable) {
    return unfit(`The NATS server lacks what is wanted: ${message}. For TLS, give it a certificate.`, error)
  }
  if (error.api_error) return apiStartFault(error.api_error as ApiFault, error)
  if (!hasJetStream && (error.code === ErrorCode.JetStreamNotEnabled || error.code === ErrorCode.NoResponders)) {
    return unfit('JetStream is not enabled on the NATS server. Start it with -js or a jetstream block.', error)
  }
  return unavailable(`NATS does not answer: ${message}.`, error)
}

/** What Node and the library say of certificates and their files. */
const CERTIFICATE = /^TLS$|CERT|^UNABLE_TO_/
const AUTH_CODES: ReadonlySet<string> = new Set([
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AccountExpired,
  ErrorCode.BadAuthentication,
  ErrorCode.BadCreds,
])

const NOT_ENABLED = new Set([10039, 10076])
const PASSING_CODE = 503

function apiStartFault({ code, err_code, description }: ApiFault, cause: NatsError): PosthasteError {
  if (NOT_ENABLED.has(err_code)) {
    return unfit(`JetStream is not enabled for this account: ${description}. Enable it, or use another account.`, cause)
  }
  if (FULL.has(err_code)) {
    return unfit(`The NATS account lacks room: ${description}. Raise its limits or lower the journal's size.`, cause)
  }
  if (code === PASSING_CODE) return unavailable(`JetStream is not ready: ${description}.`, cause)
  return unfit(`The NATS server refuses what Posthaste needs: ${description} (${err_code}).`, cause)
}
