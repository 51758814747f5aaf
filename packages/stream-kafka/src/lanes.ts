/**
 * Timers wait in lanes, one log each: a timer goes to the longest lane that fits the time it has left. So what stands in
 * a lane has its length to wait and less than twice as much, and whoever came first must go on first: a lane needs no
 * index, and its head is all there is to look at.
 *
 * What has less to wait than the first long lane goes to the short one, which is read at once and kept in memory.
 */
export interface Lane {
  readonly name: string
  /** 0 for the short lane. */
  readonly lengthMs: number
}

const FIRST_MS = 4_000
/** The head goes on this much before its lane's length is over, so that it comes due from memory, to the millisecond. */
const LEAD_MS = 1_000

/** The short lane, and `count` longer ones: 4 s, 8 s, 16 s and so on. */
export function lanesOf(count: number): Lane[] {
  const long = Array.from({ length: count }, (_, index) => FIRST_MS * 2 ** index)
  return [{ name: 'short', lengthMs: 0 }, ...long.map((lengthMs) => ({ name: String(lengthMs / 1_000), lengthMs }))]
}

/** The lane of a timer that has `leftMs` left, of lanes that stand from the shortest to the longest. */
export function decideLane<L extends Lane>(lanes: readonly L[], leftMs: number): L {
  let index = lanes.length - 1
  while (index > 0 && (lanes[index] as L).lengthMs > leftMs) index -= 1
  return lanes[index] as L
}

/** When a timer must go on from its lane. It is not due before, and nothing behind it is. */
export function moveAtMs({ lengthMs }: Lane, putMs: number): number {
  return putMs + lengthMs - LEAD_MS
}
