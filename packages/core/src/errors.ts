/**
 * Every error that Posthaste answers, records or stops with. `docs/errors.md` prints this table; a test keeps the two equal.
 * - `status`: the HTTP status the API answers with, or 0 where the code never reaches a client as an answer.
 * - `retriable`: whether the same thing may succeed later: for a call, whether it is tried again.
 */
export const ERRORS = {
  // Answers of the API.
  'not-json': { status: 400, retriable: false, title: 'The request body is not JSON.' },
  'unknown-field': { status: 400, retriable: false, title: 'A field is not known.' },
  'missing-field': { status: 400, retriable: false, title: 'A field that is needed is missing.' },
  'invalid-field': { status: 400, retriable: false, title: 'A field has the wrong type or is out of range.' },
  'invalid-url': {
    status: 400,
    retriable: false,
    title: 'A URL is not an absolute http or https URL that can be called.',
  },
  'invalid-method': { status: 400, retriable: false, title: 'The method is not one that can be called.' },
  'invalid-header': { status: 400, retriable: false, title: 'A header has an illegal name or value.' },
  'forbidden-header': {
    status: 400,
    retriable: false,
    title: 'A header is one that only Posthaste or the connection may set.',
  },
  'invalid-duration': { status: 400, retriable: false, title: 'A duration cannot be read or is out of range.' },
  'invalid-time': { status: 400, retriable: false, title: 'A time cannot be read or is out of range.' },
  'invalid-cron': { status: 400, retriable: false, title: 'A cron expression, or its time zone, cannot be read.' },
  'invalid-body': { status: 400, retriable: false, title: 'The body does not fit its encoding.' },
  'conflicting-fields': { status: 400, retriable: false, title: 'Two fields say the same thing.' },
  'invalid-key': { status: 400, retriable: false, title: 'The Idempotency-Key cannot be read.' },
  'invalid-query': { status: 400, retriable: false, title: 'A query parameter is not known, or has a wrong value.' },
  'bad-request': { status: 400, retriable: false, title: 'The HTTP request is malformed.' },
  unauthenticated: {
    status: 401,
    retriable: false,
    title: 'The request does not say who asks, or not by a token known.',
  },
  forbidden: { status: 403, retriable: false, title: 'Who asks may not do this, or not have this called.' },
  'not-found': { status: 404, retriable: false, title: 'There is no such path, invocation or schedule.' },
  'unknown-function': { status: 404, retriable: false, title: 'There is no function of this name.' },
  'no-response': { status: 404, retriable: false, title: 'There is no response, or its body was not kept.' },
  'method-not-allowed': { status: 405, retriable: false, title: 'This path does not take this method.' },
  'request-timeout': { status: 408, retriable: false, title: 'The request did not come to its end in time.' },
  'too-large': { status: 413, retriable: false, title: 'What was sent is larger than the limit.' },
  'unsupported-media-type': { status: 415, retriable: false, title: 'The request is not application/json.' },
  'already-ended': { status: 409, retriable: false, title: 'The invocation, or the schedule, has ended.' },
  'not-movable': { status: 409, retriable: false, title: 'The invocation waits for no time that could be changed.' },
  'not-redrivable': {
    status: 409,
    retriable: false,
    title: 'The invocation is no dead letter that could be redriven.',
  },
  'key-reused': {
    status: 422,
    retriable: false,
    title: 'The Idempotency-Key was sent before with another payload.',
  },
  'depth-exceeded': {
    status: 422,
    retriable: false,
    title: 'Too many invocations gave rise to one another: this is a loop.',
  },
  'target-refused': { status: 422, retriable: false, title: 'What was to be called may not be called from here.' },
  'rate-limited': { status: 429, retriable: true, title: 'Who asks does so more often than he may.' },
  'too-many-open': {
    status: 429,
    retriable: true,
    title: 'As many invocations are open as the tenant may have.',
  },
  'headers-too-large': {
    status: 431,
    retriable: false,
    title: 'The first line or the headers of the request are too large.',
  },
  internal: { status: 500, retriable: true, title: 'Something failed that should not have.' },
  'function-failed': { status: 502, retriable: true, title: 'A function that was called at once gave no answer.' },
  'function-timeout': {
    status: 504,
    retriable: true,
    title: 'A function that was called at once gave no answer in time.',
  },
  'view-behind': { status: 503, retriable: true, title: 'What is known of invocations is not up to date.' },
  'stream-unavailable': { status: 503, retriable: true, title: 'The stream cannot take anything now.' },
  'stream-full': { status: 503, retriable: true, title: 'The stream has no room for more.' },
  overloaded: { status: 503, retriable: true, title: 'Too much is waiting already.' },
  stopping: { status: 503, retriable: true, title: 'This process is stopping.' },
  'not-ready': { status: 503, retriable: true, title: 'This process cannot do its work now.' },
  // How a call failed, as the journal says it.
  status: { status: 0, retriable: true, title: 'The target answered with a status that is not a success.' },
  'asked-again': { status: 0, retriable: true, title: 'The target succeeded, and asked for another attempt.' },
  timeout: { status: 0, retriable: true, title: 'The call did not end within its time-out.' },
  'connect-timeout': { status: 0, retriable: true, title: 'No connection to the target was made in time.' },
  'connection-refused': { status: 0, retriable: true, title: 'The target refused the connection.' },
  'connection-closed': { status: 0, retriable: true, title: 'The connection broke before the response was complete.' },
  unreachable: { status: 0, retriable: true, title: 'There is no route to the target.' },
  'name-not-resolved': { status: 0, retriable: true, title: "The target's name does not resolve." },
  'tls-failed': { status: 0, retriable: true, title: 'No trusted TLS connection to the target was made.' },
  'invalid-response': {
    status: 0,
    retriable: true,
    title: 'The target answered with something that is not HTTP, or with headers too large.',
  },
  'call-failed': { status: 0, retriable: true, title: 'The call failed for another reason.' },
  cancelled: { status: 0, retriable: false, title: 'The invocation was cancelled before a call succeeded.' },
  expired: { status: 0, retriable: false, title: 'The invocation expired before a call succeeded.' },
  'record-unreadable': { status: 0, retriable: false, title: 'A record on the stream is not an instruction.' },
  'record-version': { status: 0, retriable: true, title: 'A record on the stream was written by a newer version.' },
  sealed: { status: 503, retriable: true, title: 'The key that this is sealed with is not there.' },
  // What stops a start.
  'invalid-configuration': { status: 0, retriable: false, title: 'The configuration is not valid.' },
  'stream-unfit': {
    status: 0,
    retriable: false,
    title: 'The stream cannot keep the promises with its present settings.',
  },
} as const satisfies Record<string, ErrorEntry>

interface ErrorEntry {
  readonly status: number
  readonly retriable: boolean
  readonly title: string
}

export type ErrorCode = keyof typeof ERRORS

/** What is wrong with one field. `pointer` is a JSON pointer (RFC 6901) into what was sent. */
export interface FieldError {
  readonly pointer: string
  readonly code: ErrorCode
  readonly detail: string
}

/** A name as a part of a JSON pointer. */
export function pointerPart(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** More than these help nobody, and the answer must not grow with the mistakes. */
const FIELD_ERRORS_MAX = 20

/** An error with a stable code. Branch on `code`, never on the text. */
export class PosthasteError extends Error {
  readonly code: ErrorCode
  readonly fields: readonly FieldError[]

  constructor(code: ErrorCode, detail: string, options: { fields?: readonly FieldError[]; cause?: unknown } = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PosthasteError'
    this.code = code
    this.fields = options.fields ?? []
  }

  /** The error for one or more wrong fields, of which it names the first 20; its code is that of the first. */
  static ofFields(fields: readonly FieldError[]): PosthasteError {
    const first = fields[0] as FieldError
    return new PosthasteError(first.code, `${first.pointer || 'What was sent'}: ${first.detail}`, {
      fields: fields.slice(0, FIELD_ERRORS_MAX),
    })
  }
}
