import { hash, randomBytes } from 'node:crypto'

const BYTES = 32

/** Returns a new token: 256 random bits, behind letters by which it is known for what it is where it leaks. */
export function createToken(): string {
  return `pht_${randomBytes(BYTES).toString('base64url')}`
}

/**
 * Returns the SHA-256 of a token. Nothing slower is needed: what is random cannot be guessed from its hash.
 */
export function hashToken(token: string): Buffer {
  return hash('sha256', token, 'buffer')
}
