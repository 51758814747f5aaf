const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/

/**
 * Reads an RFC 3339 date-time and returns milliseconds since the Unix epoch, rounded up to a whole one, so that nothing
 * is ever early. Returns `undefined` if the text is not one, or names a day that the month does not have.
 */
export function parseInstant(text: string): number | undefined {
  const match = RFC_3339.exec(text)
  if (!match) return undefined
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  // Date.parse lets 30 February pass as 2 March.
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return undefined
  const ms = Date.parse(text.toUpperCase().replace(' ', 'T'))
  if (Number.isNaN(ms)) return undefined
  return /\.\d{3}0*[1-9]/.test(text) ? ms + 1 : ms
}

/** Writes milliseconds since the Unix epoch as RFC 3339 in UTC. */
export function formatInstant(ms: number): string {
  return new Date(ms).toISOString()
}
