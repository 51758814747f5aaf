import { createHmac, type KeyObject, sign } from 'node:crypto'
import { privateKeyOf, type SigningKey } from '@posthaste/core'

/** What only we say of a call that is signed: of the instruction none of these is sent. */
export const WEBHOOK_HEADERS: readonly string[] = ['webhook-id', 'webhook-timestamp', 'webhook-signature']

/**
 * The headers of Standard Webhooks 1.0.0, as names and values in turn, with a signature for each key. The id must have no
 * full stop: what is signed could be read in two ways.
 */
export function webhookHeaders(keys: readonly SigningKey[], id: string, atMs: number, body: Uint8Array): string[] {
  const timestamp = String(Math.floor(atMs / 1000))
  const start = `${id}.${timestamp}.`
  const signatures = keys.map((key) => signature(key, start, body)).join(' ')
  return ['webhook-id', id, 'webhook-timestamp', timestamp, 'webhook-signature', signatures]
}

function signature(key: SigningKey, start: string, body: Uint8Array): string {
  if (key.scheme === 'hmac') return `v1,${createHmac('sha256', key.bytes).update(start).update(body).digest('base64')}`
  return `v1a,${sign(null, Buffer.concat([Buffer.from(start), body]), madeOnce(key)).toString('base64')}`
}

/** Making one of its seed takes longer than to sign. */
const privateKeys = new WeakMap<SigningKey, KeyObject>()

function madeOnce(key: SigningKey): KeyObject {
  const made = privateKeys.get(key) ?? privateKeyOf(key.bytes)
  privateKeys.set(key, made)
  return made
}
