import { Compile } from 'typebox/schema'
import type { Call } from './call.js'
import { PosthasteError } from './errors.js'
import { deriveId } from './ids.js'
import { formatInstant, parseInstant } from './instant.js'
import { checkContent } from './instruction.js'
import { type CallDocument, CallDocumentSchema } from './instruction-schema.js'
import { LIMITS } from './limits.js'
import { joinLine, splitLine } from './line-record.js'
import { readSchedule, writeSchedule } from './schedule-codec.js'
import { schemaErrors } from './schema-errors.js'
import { isSealed, sealed } from './sealer.js'

/** The version of the record format that this code writes, and the newest that it reads. */
export const RECORD_VERSION = 1

const schema = Compile(CallDocumentSchema)

/** Where a record stands: what an id is derived from if its producer gave none. */
export interface RecordOrigin {
  readonly log: string
  readonly partition: number
  readonly offset: number
  /** When the stream took the record: what relative times count from. */
  readonly appendedAtMs: number
}

/** Writes a call as a record: one line of JSON, then the body's bytes. See docs/record-format.md. */
export function encodeCall(call: Call): Uint8Array {
  const { retry } = call
  return joinLine(
    {
      v: RECORD_VERSION,
      id: call.id,
      // Here, so that whoever peeks sees it.
      schedule: call.schedule && writeSchedule(call.schedule),
      generation: call.generation === 1 ? undefined : call.generation,
      attempt: call.attempt === 1 ? undefined : call.attempt,
      acceptedAt: formatInstant(call.acceptedAtMs),
      parent: call.parent,
      tenant: call.tenant,
      move: call.move,
      depth: call.depth || undefined,
      target: call.target,
      method: call.method,
      headers: call.headers,
      forwardTo: call.forwardTo,
      forwardWith: call.forwardWith,
      onSuccess: call.onSuccess,
      onFailure: call.onFailure,
      correlationId: call.correlationId,
      notBefore: call.notBeforeMs === undefined ? undefined : formatInstant(call.notBeforeMs),
      expiresAt: call.expiresAtMs === undefined ? undefined : formatInstant(call.expiresAtMs),
      timeout: call.timeoutMs === undefined ? undefined : `${call.timeoutMs}ms`,
      retry: retry && {
        maxAttempts: retry.maxAttempts,
        initialDelay: retry.initialDelayMs === undefined ? undefined : `${retry.initialDelayMs}ms`,
        factor: retry.factor,
        maxDelay: retry.maxDelayMs === undefined ? undefined : `${retry.maxDelayMs}ms`,
        jitter: retry.jitter,
        maxAge: retry.maxAgeMs === undefined ? undefined : `${retry.maxAgeMs}ms`,
        statuses: retry.statuses,
        errors: retry.errors,
      },
      answered: call.answered || undefined,
      since: call.sinceMs === undefined ? undefined : formatInstant(call.sinceMs),
      bodyBytes: call.body.length,
    },
    [call.body],
  )
}

export interface DecodedCall {
  readonly call: Call
  /** Whether the record says the same wherever it stands, so that it can be put back as it is. */
  readonly settled: boolean
}

/**
 * Reads a record on `calls`, whoever wrote it. The body is a view of `bytes`, not a copy.
 * @throws PosthasteError `record-unreadable`, `record-version` if a newer version wrote it, or `sealed`.
 */
export function decodeCall(bytes: Uint8Array, origin: RecordOrigin): DecodedCall {
  try {
    return readCall(bytes, origin)
  } catch (error) {
    if (error instanceof PosthasteError && !error.code.startsWith('record-') && error.code !== 'sealed') {
      throw new PosthasteError('record-unreadable', error.message, { fields: error.fields })
    }
    throw error
  }
}

function readCall(bytes: Uint8Array, origin: RecordOrigin): DecodedCall {
  const { document, rest } = splitLine(bytes, 'bodyBytes')
  const version = (document as { v?: unknown }).v
  if (typeof version === 'number' && version > RECORD_VERSION) {
    if (isSealed(bytes)) throw sealed(bytes)
    throw new PosthasteError(
      'record-version',
      `This record is of version ${version}; this process reads up to ${RECORD_VERSION}. Upgrade it.`,
    )
  }
  if (!schema.Check(document)) throw PosthasteError.ofFields(schemaErrors(schema, document))
  if (rest && document.body !== undefined)
    throw new PosthasteError('conflicting-fields', 'There is a body in the document and another behind it.')
  const acceptedAtMs = document.acceptedAt === undefined ? origin.appendedAtMs : parseInstant(document.acceptedAt)
  if (acceptedAtMs === undefined)
    throw new PosthasteError('invalid-time', '/acceptedAt: This is not an RFC 3339 date-time.')
  const sinceMs = document.since === undefined ? undefined : parseInstant(document.since)
  if (document.since !== undefined && sinceMs === undefined)
    throw new PosthasteError('invalid-time', '/since: This is not an RFC 3339 date-time.')
  const content = checkContent(document, origin.appendedAtMs, {
    ownHeadersAllowed: true,
    bytes: rest,
    latestMs: latestMsOf(document, Math.max(acceptedAtMs, sinceMs ?? 0, origin.appendedAtMs)),
  })
  const call: Call = {
    id: document.id ?? deriveId(origin.appendedAtMs, origin.log, origin.partition, origin.offset),
    generation: document.generation ?? 1,
    attempt: document.attempt ?? 1,
    acceptedAtMs,
    depth: document.depth ?? 0,
    ...(document.parent !== undefined && { parent: document.parent }),
    ...(document.tenant !== undefined && { tenant: document.tenant }),
    ...(document.move !== undefined && { move: document.move }),
    ...(document.answered && { answered: document.answered }),
    ...(sinceMs !== undefined && { sinceMs }),
    method: 'POST',
    ...content,
    ...(document.schedule && { schedule: readSchedule(document.schedule, acceptedAtMs) }),
  }
  const relative = document.delay !== undefined || document.expiresIn !== undefined
  return { call, settled: document.id !== undefined && document.acceptedAt !== undefined && !relative }
}

/** The latest time that a record may name. What was accepted stays so, even if the stream's clock is behind the accepter's. */
function latestMsOf({ move, schedule }: CallDocument, fromMs: number): number {
  // What was moved was in range then. A schedule goes on for as long as it likes.
  return move !== undefined || schedule ? Number.POSITIVE_INFINITY : fromMs + LIMITS.delayMsMax
}
