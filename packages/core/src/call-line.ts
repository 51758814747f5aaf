import type { Call } from './call.js'
import type { Destination } from './destination.js'
import { parseDuration } from './duration.js'
import type { Headers } from './headers.js'
import { parseInstant } from './instant.js'
import type { ShownInstruction } from './invocation.js'
import { bufferOf, firstLineBytes } from './line-record.js'
import type { RetryPolicy } from './retry-policy.js'
import { maskedHeaders, maskedUrl } from './secrets.js'

// How encodeCall begins and ends a line.
const START = /^\{"v":1,"id":"([^"\\]+)",(?!"schedule":)(?:"generation":(\d+),)?/
const START_TEXT = '{"v":1,"id":"'
const START_CHARACTERS = 200
const END = /"bodyBytes":\d+\}$/
const END_CHARACTERS = 40
// What another producer may leave out, or say in another form. In a text quotation marks are escaped.
const NEEDED = ['"acceptedAt":"', '"target":"']
const NEVER_OURS = ['"forwardTo":{', '"onSuccess":"', '"onFailure":"']

/** Which invocation, and which generation of it, a record of `encodeCall` is about. */
export interface Bearer {
  readonly id: string
  readonly generation: number
}

/**
 * Reads whose a record is that looks like one of `encodeCall`, and nothing else of it; undefined if it does not, or is a
 * tick of a schedule.
 */
export function peekBearer(record: Uint8Array): Bearer | undefined {
  const match = START.exec(bufferOf(record).toString('latin1', 0, START_CHARACTERS))
  return match ? { id: match[1] as string, generation: Number(match[2] ?? 1) } : undefined
}

/** The first line of a record, if it is laid out as `encodeCall` does it. */
export function callLineOf(record: Uint8Array): Uint8Array | undefined {
  const bytes = firstLineBytes(record)
  if (bytes === record.length) return undefined
  const line = bufferOf(record).subarray(0, bytes)
  // To look for several things in a text is cheaper than in bytes.
  const text = line.toString('latin1')
  const isOwn =
    text.startsWith(START_TEXT) &&
    END.test(text.slice(-END_CHARACTERS)) &&
    NEEDED.every((needed) => text.includes(needed)) &&
    !NEVER_OURS.some((other) => text.includes(other))
  return isOwn ? line : undefined
}

/** Whose the call of a line of `callLineOf` is. Most lines name nobody, and are not parsed. */
export function tenantOfLine(line: Uint8Array): string {
  const buffer = bufferOf(line)
  if (!buffer.includes('"tenant":')) return ''
  try {
    return (JSON.parse(buffer.toString()) as Pick<Call, 'tenant'>).tenant ?? ''
  } catch {
    return ''
  }
}

/** What the first line of a call's record says for people, without secrets. */
export interface CallLine {
  readonly target: string
  readonly method: string
  readonly correlationId?: string
  readonly parent?: string
  readonly instruction: ShownInstruction
}

interface Document {
  readonly target: string
  readonly method?: string
  readonly correlationId?: string
  readonly parent?: string
  readonly headers?: Headers
  readonly forwardTo?: string
  readonly onSuccess?: Destination
  readonly onFailure?: Destination
  readonly notBefore?: string
  readonly expiresAt?: string
  readonly timeout?: string
  readonly retry?: { readonly [name: string]: unknown }
  readonly bodyBytes: number
}

/** Reads a line of `callLineOf`; undefined if it is not one. */
export function readCallLine(line: Uint8Array): CallLine | undefined {
  try {
    const document = JSON.parse(bufferOf(line).toString()) as Document
    const { correlationId, method = 'POST', parent, target } = document
    return {
      target: maskedUrl(target),
      method,
      ...(correlationId !== undefined && { correlationId }),
      ...(parent !== undefined && { parent }),
      instruction: instructionOf(document),
    }
  } catch {
    return undefined
  }
}

function instructionOf({ bodyBytes, headers, onFailure, onSuccess, retry, ...texts }: Document): ShownInstruction {
  const { expiresAt, forwardTo, notBefore, timeout } = texts
  return without({
    headers: maskedHeaders(headers ?? {}),
    bodyBytes,
    forwardTo: forwardTo === undefined ? undefined : maskedUrl(forwardTo),
    onSuccess: onSuccess && { ...onSuccess, url: maskedUrl(onSuccess.url) },
    onFailure: onFailure && { ...onFailure, url: maskedUrl(onFailure.url) },
    notBeforeMs: instantOf(notBefore),
    expiresAtMs: instantOf(expiresAt),
    timeoutMs: durationOf(timeout),
    retry: retry && retryOf(retry),
  }) as unknown as ShownInstruction
}

function retryOf({ initialDelay, maxAge, maxDelay, ...same }: NonNullable<Document['retry']>): Partial<RetryPolicy> {
  const { errors, factor, jitter, maxAttempts, statuses } = same
  const [initialDelayMs, maxDelayMs, maxAgeMs] = [initialDelay, maxDelay, maxAge].map(durationOf)
  return without({ maxAttempts, initialDelayMs, factor, maxDelayMs, jitter, maxAgeMs, statuses, errors })
}

const instantOf = (text: unknown): number | undefined => (typeof text === 'string' ? parseInstant(text) : undefined)
const durationOf = (text: unknown): number | undefined => (typeof text === 'string' ? parseDuration(text) : undefined)

/** The same without what is undefined. */
function without(members: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}
