import { parseDuration } from './duration.js'
import type { Headers } from './headers.js'
import { parseHttpDate } from './http-date.js'

/** What a target wishes by the headers of its answer. */
export interface TargetWish {
  /** Whether there is to be another attempt; undefined if that is left to the policy. */
  readonly isAgain?: boolean
  /** How long to wait for it, instead of the back-off. */
  readonly delayMs?: number
  /** How long to wait at least. */
  readonly delayMsMin?: number
}

const NO_WISH: TargetWish = {}

/**
 * Reads `Posthaste-Retry` (`no`, `yes`, or a duration: `10m`, or seconds) and `Retry-After` (seconds or a date, RFC 9110
 * section 10.2.3). What cannot be read, or is past, wishes nothing.
 */
export function wishOf(headers: Headers, nowMs: number): TargetWish {
  const [wish, after] = [headers['posthaste-retry'], headers['retry-after']]
  if (wish === undefined && after === undefined) return NO_WISH
  const delayMsMin = after === undefined ? undefined : retryAfterMs(textOf(after), nowMs)
  return { ...(wish !== undefined && ownWishOf(textOf(wish))), ...(delayMsMin && { delayMsMin }) }
}

function ownWishOf(text: string): TargetWish {
  if (/^no$/i.test(text)) return { isAgain: false }
  if (/^yes$/i.test(text)) return { isAgain: true }
  const delayMs = parseDuration(/^[\d.]+$/.test(text) ? `${text}s` : text)
  return delayMs === undefined ? NO_WISH : { isAgain: true, delayMs }
}

function retryAfterMs(text: string, nowMs: number): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1_000
  const dateMs = parseHttpDate(text, nowMs)
  return dateMs === undefined ? undefined : Math.max(0, dateMs - nowMs)
}

function textOf(value: string | readonly string[]): string {
  return (typeof value === 'string' ? value : (value[0] ?? '')).trim()
}
