import type { Attempt } from '@posthaste/core'

/** Of an invocation's attempts the newest ones are kept. */
const ATTEMPTS_MAX = 200

/** Adds one, in order. What is kept beside them is one more. */
export function withAttempt(attempts: readonly Attempt[], attempt: Attempt): readonly Attempt[] {
  return inOrder([...attempts, attempt]).slice(1 - ATTEMPTS_MAX)
}

export function inOrder(attempts: Attempt[]): Attempt[] {
  return attempts.sort((one, other) => one.generation - other.generation || one.attempt - other.attempt)
}

export function encodeAttempts(attempts: readonly Attempt[]): Uint8Array {
  return Buffer.from(attempts.length === 0 ? '' : JSON.stringify(attempts))
}

export function decodeAttempts(bytes: Uint8Array): Attempt[] {
  return bytes.length === 0 ? [] : (JSON.parse(bytes.toString()) as Attempt[])
}
