import { LIMITS, PosthasteError } from '@posthaste/core'
import type { FastifyRequest } from 'fastify'
import type { Sameness } from './acceptance.js'

/** A string of structured fields (RFC 8941 section 3.3.3). */
const QUOTED = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
const BARE = /^[\x21\x23-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/

/**
 * The key of a request, be it quoted, as the IETF draft wants it, or bare: that is the same key. Undefined if it has none.
 * @throws PosthasteError `invalid-key`
 */
export function idempotencyKeyOf({ headers }: FastifyRequest): string | undefined {
  const header = headers['idempotency-key']
  return header === undefined ? undefined : readIdempotencyKey(String(header))
}

/** No key has a line break: those of our own claims do. @throws PosthasteError `invalid-key` */
export function readIdempotencyKey(text: string): string {
  const key = QUOTED.exec(text)?.[1]?.replace(/\\(.)/g, '$1') ?? (BARE.test(text) ? text : '')
  if (key !== '' && key.length <= LIMITS.idempotencyKeyLengthMax) return key
  const detail = `A key has 1 to ${LIMITS.idempotencyKeyLengthMax} printable ASCII characters, with or without quotes around them.`
  throw new PosthasteError('invalid-key', detail)
}

/** What a key makes a request one with: its body. Undefined if there is none. @throws PosthasteError `invalid-key` */
export function samenessOf(request: FastifyRequest): Sameness | undefined {
  const key = idempotencyKeyOf(request)
  return key === undefined ? undefined : { key, payload: request.body }
}
