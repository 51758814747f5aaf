import { Compile } from 'typebox/compile'
import type { Call } from './call.js'
import { PosthasteError } from './errors.js'
import { deriveId } from './ids.js'
import { formatInstant, parseInstant } from './instant.js'
import { checkContent, schemaErrors } from './instruction.js'
import { CallDocumentSchema } from './instruction-schema.js'
import { LIMITS } from './limits.js'
import { bufferOf, joinLine, splitLine } from './line-record.js'

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
      generation: call.generation === 1 ? undefined : call.generation,
      attempt: call.attempt === 1 ? undefined : call.attempt,
      acceptedAt: formatInstant(call.acceptedAtMs),
      parent: call.parent,
      move: call.move,
      depth: call.depth || undefined,
      target: call.target,
      method: call.method,
      headers: call.headers,
      forwardTo: call.forwardTo,
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
      },
      bodyBytes: call.body.length,
    },
    [call.body],
  )
}

const OWN_START = '{"v":1,"id":"'
const ACCEPTED_START = '"acceptedAt":"'
const TARGET_START = '"target":"'
/** Where the target's origin ends at the latest in what `encodeCall` writes, but for very long names. */
const PEEK_BYTES = 400

/**
 * Reads the target's origin from a record that looks like one of `encodeCall`, without reading the rest; undefined if it
 * does not. It is good enough to put the record off as it is, not to call: nothing is checked.
 */
export function peekOrigin(bytes: Uint8Array): string | undefined {
  const start = bufferOf(bytes).toString('latin1', 0, PEEK_BYTES)
  if (!start.startsWith(OWN_START)) return undefined
  const found = start.indexOf(TARGET_START)
  const accepted = start.indexOf(ACCEPTED_START)
  if (accepted < 0 || found < accepted) return undefined
  const target = found + TARGET_START.length
  const end = start.indexOf('/', target + 'https://'.length)
  return end < 0 ? undefined : start.slice(target, end)
}

export interface DecodedCall {
  readonly call: Call
  /** Whether the record says the same wherever it stands, so that it can be put back as it is. */
  readonly settled: boolean
}

/**
 * Reads a record on `calls`, whoever wrote it. The body is a view of `bytes`, not a copy.
 * @throws PosthasteError `record-unreadable`, or `record-version` if a newer version wrote it.
 */
export function decodeCall(bytes: Uint8Array, origin: RecordOrigin): DecodedCall {
  try {
    return readCall(bytes, origin)
  } catch (error) {
    if (error instanceof PosthasteError && !error.code.startsWith('record-')) {
      throw new PosthasteError('record-unreadable', error.message, { fields: error.fields })
    }
    throw error
  }
}

function readCall(bytes: Uint8Array, origin: RecordOrigin): DecodedCall {
  const { document, rest } = splitLine(bytes, 'bodyBytes')
  const version = (document as { v?: unknown }).v
  if (typeof version === 'number' && version > RECORD_VERSION) {
    throw new PosthasteError(
      'record-version',
      `This record is of version ${version}; this process reads up to ${RECORD_VERSION}. Upgrade it.`,
    )
  }
  if (!schema.Check(document)) throw PosthasteError.ofFields(schemaErrors(schema.Errors(document)))
  if (rest && document.body !== undefined)
    throw new PosthasteError('conflicting-fields', 'There is a body in the document and another behind it.')
  const acceptedAtMs = document.acceptedAt === undefined ? origin.appendedAtMs : parseInstant(document.acceptedAt)
  if (acceptedAtMs === undefined)
    throw new PosthasteError('invalid-time', '/acceptedAt: This is not an RFC 3339 date-time.')
  const content = checkContent(document, origin.appendedAtMs, {
    ownHeadersAllowed: true,
    bytes: rest,
    // What was accepted stays so, even if the stream's clock is behind the accepter's.
    latestMs: Math.max(acceptedAtMs, origin.appendedAtMs) + LIMITS.delayMsMax,
  })
  const call: Call = {
    id: document.id ?? deriveId(origin.appendedAtMs, origin.log, origin.partition, origin.offset),
    generation: document.generation ?? 1,
    attempt: document.attempt ?? 1,
    acceptedAtMs,
    depth: document.depth ?? 0,
    ...(document.parent !== undefined && { parent: document.parent }),
    ...(document.move !== undefined && { move: document.move }),
    ...content,
  }
  const relative = document.delay !== undefined || document.expiresIn !== undefined
  return { call, settled: document.id !== undefined && document.acceptedAt !== undefined && !relative }
}
