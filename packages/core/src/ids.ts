import { createHash, randomFillSync } from 'node:crypto'

const POOL_BYTES = 4096
const RANDOM_BYTES = 10
const pool = Buffer.allocUnsafe(POOL_BYTES)
let poolAt = POOL_BYTES

/** Makes an invocation id: a UUID of version 7 (RFC 9562 section 5.7) for the given time. */
export function createId(nowMs: number): string {
  if (poolAt + RANDOM_BYTES > POOL_BYTES) {
    randomFillSync(pool)
    poolAt = 0
  }
  poolAt += RANDOM_BYTES
  return uuid7(nowMs, pool.toString('hex', poolAt - RANDOM_BYTES, poolAt))
}

/**
 * Makes an id that follows from `parts` alone, laid out as a UUID of version 7: deriving it twice gives the same id, so
 * that doing a thing twice makes the same thing. `atMs` is part of what it follows from.
 */
export function deriveId(atMs: number, ...parts: readonly (string | number)[]): string {
  return uuid7(
    atMs,
    createHash('sha256')
      .update(JSON.stringify(parts))
      .digest('hex')
      .slice(0, RANDOM_BYTES * 2),
  )
}

/** The time in an id of version 7, in milliseconds since the Unix epoch; `undefined` for any other text. */
export function idTimeMs(id: string): number | undefined {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(id)) return undefined
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** Ids that other producers bring may be anything that is safe in a URL path and a header. */
export const ID_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}$'

function uuid7(ms: number, hex: string): string {
  // Other producers, and brokers without a clock, bring times before 1970, which the layout has no sign for.
  const time = Math.max(0, ms).toString(16).padStart(12, '0')
  const variant = ((Number.parseInt(hex.charAt(3), 16) & 0x3) | 0x8).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${hex.slice(0, 3)}-${variant}${hex.slice(4, 7)}-${hex.slice(7, 19)}`
}
