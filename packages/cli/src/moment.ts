const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

/** A time as people see it from now: `3m ago`, `in 2h`, or `now`. Two of a unit at least, so that little is lost. */
export function fromNow(time: string, nowMs = Date.now()): string {
  const ms = Date.parse(time) - nowMs
  const spanMs = Math.abs(ms)
  if (spanMs < 1_000) return 'now'
  const [unit, unitMs] = UNITS.find(([, unitMs]) => spanMs >= 2 * unitMs) ?? ['s', 1_000]
  const span = `${Math.floor(spanMs / unitMs)}${unit}`
  return ms < 0 ? `${span} ago` : `in ${span}`
}

/** A time by the clock on the wall, and how far that is: `2026-12-24 18:00:00 (in 2h)`. */
export function localTime(time: string, nowMs = Date.now()): string {
  // Swedish is written as ISO 8601.
  return `${new Date(time).toLocaleString('sv-SE')} (${fromNow(time, nowMs)})`
}
