import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'

/** A key of Standard Webhooks: the bytes that its text stands for; of an ed25519 key its seed. Plain data. */
export interface SigningKey {
  readonly scheme: 'hmac' | 'ed25519'
  readonly bytes: Uint8Array
}

// "At least 24 bytes (192 bits, 512 maximum)": Standard Webhooks 1.0.0, signature scheme.
const SECRET_BYTES_MIN = 24
const SECRET_BYTES_MAX = 64
const SEED_BYTES = 32

export const SIGNING_KEY_FORM =
  'whsec_ and 24 to 64 random bytes as base64, or whsk_ and an ed25519 key: its seed, or that and the public key'

/** Reads a secret as Standard Webhooks writes it; undefined if it is none. */
export function parseSigningKey(text: string): SigningKey | undefined {
  const [, prefix, base64 = ''] = /^(whsec|whsk)_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.toString('base64') !== base64) return undefined
  // A copy: a buffer shares its memory with others, all of which would go along to another thread.
  if (prefix === 'whsec') return isSecret(bytes) ? { scheme: 'hmac', bytes: Uint8Array.from(bytes) } : undefined
  const seed = Uint8Array.from(bytes.subarray(0, SEED_BYTES))
  return isPair(bytes, seed) ? { scheme: 'ed25519', bytes: seed } : undefined
}

function isSecret({ length }: Uint8Array): boolean {
  return length >= SECRET_BYTES_MIN && length <= SECRET_BYTES_MAX
}

/** Whether it is a seed, and what stands behind it, if anything, the public key that belongs to it. */
function isPair(bytes: Buffer, seed: Uint8Array): boolean {
  if (seed.length < SEED_BYTES) return false
  const { x = '' } = createPublicKey(privateKeyOf(seed)).export({ format: 'jwk' })
  const rest = bytes.subarray(SEED_BYTES)
  return rest.length === 0 || rest.equals(Buffer.from(x, 'base64url'))
}

/** What stands before the seed in PKCS #8 (RFC 8410 section 7). */
const PKCS8_START = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The ed25519 key of a seed. */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_START, seed]), format: 'der', type: 'pkcs8' })
}
