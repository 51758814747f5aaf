import { LIMITS } from '@posthaste/core'
import type { HeaderParameter } from './operation.js'

// What several operations have in common.

/** JSON text may be larger than the bytes that it stands for: base64 by a third, escapes by much more. */
const JSON_FACTOR = 6
export const INSTRUCTION_BYTES_MAX = LIMITS.recordBytesMax * JSON_FACTOR
export const SMALL_BODY_BYTES_MAX = 64 * 1024

export const DEPTH_HEADER = {
  'Posthaste-Depth': header('From a target that posts in turn: as it came, so that a loop ends.'),
}
export const ACCEPT_HEADERS = {
  'Idempotency-Key': header('Of requests with the same key one is taken; the others get its answer.'),
  ...DEPTH_HEADER,
}

/** Of the codes of the error table, what may be wrong with an instruction. */
export const INSTRUCTION_PROBLEMS = [
  'not-json',
  'unknown-field',
  'missing-field',
  'invalid-field',
  'invalid-url',
  'invalid-method',
  'invalid-header',
  'forbidden-header',
  'invalid-duration',
  'invalid-time',
  'invalid-body',
  'conflicting-fields',
  'depth-exceeded',
  'target-refused',
  'unknown-function',
  'too-large',
  'unsupported-media-type',
] as const

export const STREAM_PROBLEMS = ['stream-unavailable', 'stream-full', 'overloaded'] as const
export const CHANGE_PROBLEMS = ['not-found', 'view-behind', ...STREAM_PROBLEMS] as const

export function header(description: string): HeaderParameter {
  return { description, schema: { type: 'string' } }
}
