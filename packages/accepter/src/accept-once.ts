import { type Call, claimKey, PosthasteError, payloadHash } from '@posthaste/core'
import type { NewRecord } from '@posthaste/stream'
import type { Claims } from './claims.js'

/**
 * Sees to it that of all calls that are asked for with one Idempotency-Key one is on the stream, and returns that one.
 * @throws PosthasteError `key-reused`, or as `Claims`
 */
export async function acceptOnce(
  claims: Claims | undefined,
  key: string,
  payload: unknown,
  { key: id, value }: NewRecord,
): Promise<Call> {
  if (!claims) throw new PosthasteError('view-behind', 'This process has no view, where keys could be looked up.')
  const claim = { id, payload: payloadHash(payload), record: value }
  const settled = await claims.settle({ key: claimKey(key), claim })
  if (settled) return settled.call
  throw new PosthasteError('key-reused', 'This Idempotency-Key was sent before, with another instruction.')
}
