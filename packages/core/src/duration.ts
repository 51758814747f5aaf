const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

const SHORT = /^(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d)$/
// ISO 8601-1 section 5.5.2 without years and months, whose length depends on the calendar.
const ISO = /^P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12}(?:\.\d{1,6})?)S)?)?$/

/**
 * Reads a duration such as `250ms`, `10s`, `1.5h`, `7d` or `PT10M` and returns milliseconds, rounded to a whole number.
 * Returns `undefined` if the text is not a duration.
 */
export function parseDuration(text: string): number | undefined {
  const short = SHORT.exec(text)
  if (short) return Math.round(Number(short[1]) * UNIT_MS[short[2] as keyof typeof UNIT_MS])
  const iso = ISO.exec(text)
  if (!iso || !/\d[WDHMS]/.test(text) || text.endsWith('T')) return undefined
  const [weeks, days, hours, minutes, seconds] = iso.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
  ]
  return Math.round((weeks * 7 + days) * UNIT_MS.d + hours * UNIT_MS.h + minutes * UNIT_MS.m + seconds * UNIT_MS.s)
}

/** Writes milliseconds as the shortest duration text that says the same: `90000` is `90s`. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms >= UNIT_MS[unit] && ms % UNIT_MS[unit] === 0) return `${ms / UNIT_MS[unit]}${unit}`
  }
  return `${ms}ms`
}
