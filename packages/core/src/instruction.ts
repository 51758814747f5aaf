import { Compile } from 'typebox/schema'
import type { Call } from './call.js'
import type { Destination } from './destination.js'
import { parseDuration } from './duration.js'
import { type FieldError, PosthasteError } from './errors.js'
import { readForward } from './forward-field.js'
import { checkHeaders } from './headers.js'
import { parseInstant } from './instant.js'
import { type ForwardInput, type InstructionInput, InstructionSchema } from './instruction-schema.js'
import { LIMITS } from './limits.js'
import type { RetryPolicy } from './retry-policy.js'
import { schemaErrors } from './schema-errors.js'
import { checkUrl } from './url.js'

const NO_BODY = new Uint8Array(0)
const schema = Compile(InstructionSchema)

/** What an instruction becomes once somebody says who it is: everything of a call but its identity. */
export type CallContent = Omit<Call, NotSaid | 'method'> & Partial<Pick<Call, 'method'>>

/** What no client says. */
type NotSaid =
  | ('id' | 'generation' | 'attempt' | 'answered' | 'acceptedAtMs' | 'sinceMs')
  | ('parent' | 'move' | 'depth' | 'schedule')

/**
 * Checks an instruction as a client sent it and returns it in the form in which it is called. `delay` and `expiresIn`
 * count from `nowMs`. `bytes` is a body that came beside it.
 * @throws PosthasteError with every wrong field in `fields`.
 */
export function parseInstruction(input: unknown, nowMs: number, bytes?: Uint8Array): CallContent {
  if (!schema.Check(input)) throw PosthasteError.ofFields(schemaErrors(schema, input))
  return checkContent(input, nowMs, { ownHeadersAllowed: false, bytes, latestMs: nowMs + LIMITS.delayMsMax })
}

/**
 * Checks what a schema cannot say. `bytes` is a body that came beside the document and stands for its `body`;
 * `latestMs` is the latest time that it may name.
 * @throws PosthasteError with every wrong field in `fields`.
 */
export function checkContent(
  input: InstructionInput & { readonly forwardWith?: ForwardInput },
  nowMs: number,
  options: { ownHeadersAllowed: boolean; bytes: Uint8Array | undefined; latestMs: number },
): CallContent {
  const errors: FieldError[] = []
  const target = readTarget(input, errors)
  if (input.method !== undefined) checkMethod(input.method, errors)
  const headers = checkHeaders(input.headers ?? {}, { ownAllowed: options.ownHeadersAllowed }, errors)
  const body = options.bytes ? { bytes: options.bytes } : readBody(input, errors)
  if (body.type !== undefined && !('content-type' in headers)) headers['content-type'] = body.type
  const forwardTo = readForward(input.forwardTo, input.forwardWith, errors)
  const onSuccess = readDestination(input.onSuccess, '/onSuccess', errors)
  const onFailure = readDestination(input.onFailure, '/onFailure', errors)
  const span = { nowMs, latestMs: options.latestMs }
  const notBeforeMs = readTime(input, 'notBefore', 'delay', span, errors)
  const expiresAtMs = readTime(input, 'expiresAt', 'expiresIn', span, errors)
  if (expiresAtMs !== undefined && expiresAtMs <= (notBeforeMs ?? 0)) {
    errors.push({
      pointer: input.expiresAt === undefined ? '/expiresIn' : '/expiresAt',
      code: 'invalid-time',
      detail: 'The instruction would expire before it may be called.',
    })
  }
  const timeoutMs = readDuration(input.timeout, '/timeout', LIMITS.timeoutMsMin, LIMITS.timeoutMsMax, errors)
  const retry = input.retry && readRetry(input.retry, errors)
  if (errors.length > 0) throw PosthasteError.ofFields(errors)
  return {
    target,
    ...(input.method !== undefined && { method: input.method }),
    headers,
    body: body.bytes,
    ...forwardTo,
    ...(onSuccess && { onSuccess }),
    ...(onFailure && { onFailure }),
    ...(input.correlationId !== undefined && { correlationId: input.correlationId }),
    ...(notBeforeMs !== undefined && { notBeforeMs }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(retry && { retry }),
  }
}

/** The URL of what is to be called: that of a target, or of a function. */
function readTarget({ function: name, path, query, target }: InstructionInput, errors: FieldError[]): string {
  const fail = (pointer: string, code: FieldError['code'], detail: string): string => {
    errors.push({ pointer, code, detail })
    return ''
  }
  if (name === undefined) {
    if (path !== undefined) fail('/path', 'missing-field', 'There is a path but no function.')
    return target === undefined
      ? fail('/target', 'missing-field', 'Give target, or function.')
      : checkUrl(target, query, '/target', errors)
  }
  if (target !== undefined) return fail('/function', 'conflicting-fields', 'Give target or function, not both.')
  return checkUrl(`function://${name}${path ?? ''}`, query, path === undefined ? '/function' : '/path', errors)
}

export function checkMethod(method: string, errors: FieldError[]): void {
  if (method === 'CONNECT' || method === 'TRACE') {
    errors.push({ pointer: '/method', code: 'invalid-method', detail: `${method} cannot be called.` })
  }
}

function readBody(input: InstructionInput, errors: FieldError[]): { bytes: Uint8Array; type?: string } {
  const { body, bodyEncoding } = input
  if (body === undefined) {
    if (bodyEncoding)
      errors.push({ pointer: '/bodyEncoding', code: 'missing-field', detail: 'There is an encoding but no body.' })
    return { bytes: NO_BODY }
  }
  if (bodyEncoding === 'json' || (bodyEncoding === undefined && typeof body !== 'string')) {
    return { bytes: jsonBytes(body, errors), type: 'application/json' }
  }
  if (typeof body !== 'string') {
    errors.push({
      pointer: '/body',
      code: 'invalid-body',
      detail: `With bodyEncoding ${bodyEncoding} the body must be a string.`,
    })
    return { bytes: NO_BODY }
  }
  if (bodyEncoding !== 'base64') return { bytes: Buffer.from(body), type: 'text/plain; charset=utf-8' }
  // RFC 4648 section 4, padded. Buffer.from would skip what is not base64.
  if (body.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(body)) {
    errors.push({
      pointer: '/body',
      code: 'invalid-body',
      detail: 'This is not base64 (RFC 4648 section 4, with padding).',
    })
  }
  return { bytes: Buffer.from(body, 'base64'), type: 'application/octet-stream' }
}

function jsonBytes(body: unknown, errors: FieldError[]): Uint8Array {
  try {
    return Buffer.from(JSON.stringify(body))
  } catch {
    // Reading JSON takes any depth, writing it recurs.
    errors.push({ pointer: '/body', code: 'invalid-body', detail: 'This is nested too deeply.' })
    return NO_BODY
  }
}

/** The time that one of two fields says: itself, or by how long it is ahead. */
export function readTime(
  input: Pick<InstructionInput, 'notBefore' | 'delay' | 'expiresAt' | 'expiresIn'>,
  timeField: 'notBefore' | 'expiresAt',
  durationField: 'delay' | 'expiresIn',
  span: { nowMs: number; latestMs: number },
  errors: FieldError[],
): number | undefined {
  const time = input[timeField]
  const duration = input[durationField]
  if (time === undefined) {
    const ms = readDuration(duration, `/${durationField}`, 0, LIMITS.delayMsMax, errors)
    return ms === undefined ? undefined : span.nowMs + ms
  }
  if (duration !== undefined) {
    errors.push({
      pointer: `/${durationField}`,
      code: 'conflicting-fields',
      detail: `Give ${timeField} or ${durationField}, not both.`,
    })
  }
  const pointer = `/${timeField}`
  const ms = parseInstant(time)
  if (ms === undefined) {
    errors.push({
      pointer,
      code: 'invalid-time',
      detail: 'This is not an RFC 3339 date-time such as 2026-12-24T18:00:00Z.',
    })
  } else if (ms > span.latestMs) {
    errors.push({
      pointer,
      code: 'invalid-time',
      detail: `This is more than ${LIMITS.delayMsMax / 86_400_000} days ahead.`,
    })
  }
  return ms
}

/** Reads a duration within bounds; what is wrong with it is added to `errors`. */
export function readDuration(
  text: string | undefined,
  pointer: string,
  minMs: number,
  maxMs: number,
  errors: FieldError[],
): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms === undefined) {
    errors.push({
      pointer,
      code: 'invalid-duration',
      detail: 'This is not a duration such as "250ms", "10s", "10m", "2h", "7d" or "PT10M".',
    })
  } else if (ms < minMs || ms > maxMs) {
    errors.push({
      pointer,
      code: 'invalid-duration',
      detail: `This must be from ${minMs} ms to ${maxMs} ms; it is ${ms} ms.`,
    })
  }
  return ms
}

export function readDestination(
  input: InstructionInput['onSuccess'],
  pointer: string,
  errors: FieldError[],
): Destination | undefined {
  if (input === undefined) return undefined
  if (typeof input === 'string') return { url: checkUrl(input, undefined, pointer, errors), format: 'record' }
  return { url: checkUrl(input.url, undefined, `${pointer}/url`, errors), format: input.format ?? 'record' }
}

export function readRetry(input: NonNullable<InstructionInput['retry']>, errors: FieldError[]): Partial<RetryPolicy> {
  const initialDelayMs = readDuration(input.initialDelay, '/retry/initialDelay', 0, LIMITS.retryDelayMsMax, errors)
  const maxDelayMs = readDuration(input.maxDelay, '/retry/maxDelay', 0, LIMITS.retryDelayMsMax, errors)
  const maxAgeMs = readDuration(input.maxAge, '/retry/maxAge', 1, LIMITS.retryAgeMsMax, errors)
  return {
    ...(input.maxAttempts !== undefined && { maxAttempts: input.maxAttempts }),
    ...(initialDelayMs !== undefined && { initialDelayMs }),
    ...(input.factor !== undefined && { factor: input.factor }),
    ...(maxDelayMs !== undefined && { maxDelayMs }),
    ...(input.jitter !== undefined && { jitter: input.jitter }),
    ...(maxAgeMs !== undefined && { maxAgeMs }),
    ...(input.statuses !== undefined && { statuses: input.statuses.map(String) }),
    ...(input.errors !== undefined && { errors: input.errors }),
  }
}
