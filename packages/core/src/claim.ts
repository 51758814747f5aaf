import { createHash } from 'node:crypto'
import { Compile } from 'typebox/schema'
import { PosthasteError } from './errors.js'
import { Type } from './json-schema.js'
import { joinLine, splitLine } from './line-record.js'

/**
 * Who was first with an Idempotency-Key: a record of the log of claims, under `claimKey` of the key. The first one there
 * counts, for every accepter alike.
 */
export interface Claim {
  /** The invocation that the key stands for. */
  readonly id: string
  /** `payloadHash` of what was sent with the key. */
  readonly payload: string
  /** The call as a record, so that whoever answers from the claim can make sure that it is on `calls`. */
  readonly record: Uint8Array
}

/** A claim, and what has become of its invocation. */
export interface KnownClaim extends Claim {
  /** Whether that was there, and is not kept any more. */
  readonly isForgotten: boolean
}

const schema = Compile(
  Type.Object({ v: Type.Integer(), id: Type.String(), payload: Type.String(), bytes: Type.Integer({ minimum: 0 }) }),
)

/**
 * The key of a claim in its log: of a fixed length, and it tells nobody what the client's key was. Each tenant has keys of
 * its own.
 */
export function claimKey(idempotencyKey: string, tenant = ''): string {
  // Neither has a line break.
  return hash(tenant === '' ? idempotencyKey : ['key', tenant, idempotencyKey].join('\n'))
}

/**
 * The same for two JSON values that differ in nothing but the order of their members.
 * @throws PosthasteError `invalid-body`
 */
export function payloadHash(payload: unknown): string {
  try {
    return hash(JSON.stringify(payload, sortMembers))
  } catch (error) {
    // Reading JSON takes any depth, writing it recurs.
    throw new PosthasteError('invalid-body', 'This is nested too deeply.', { cause: error })
  }
}

export function encodeClaim({ id, payload, record }: Claim): Uint8Array {
  return joinLine({ v: 1, id, payload, bytes: record.length }, [record])
}

/**
 * Reads a record of the log of claims.
 * @throws PosthasteError `record-unreadable`
 */
export function decodeClaim(bytes: Uint8Array): Claim {
  const { document, rest } = splitLine(bytes, 'bytes')
  if (!rest || !schema.Check(document)) throw new PosthasteError('record-unreadable', 'This is not a claim.')
  return { id: document.id, payload: document.payload, record: rest }
}

function sortMembers(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
