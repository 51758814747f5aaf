const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ](?!24)\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/
const EARLIEST_MS = Date.parse('0000-01-01T00:00:00Z')
const LATEST_MS = Date.parse('9999-12-31T23:59:59.999Z')

/**
 * Reads an RFC 3339 date-time and returns milliseconds since the Unix epoch, rounded up to a whole one, so that nothing
 * is ever early. Returns `undefined` if the text is not one, names a day that the month does not have, or lies outside of
 * the years 0 to 9999 in UTC, for it could not be written again.
 */
export function parseInstant(text: string): number | undefined {
  const match = RFC_3339.exec(text)
  if (!match) return undefined
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  // Date.parse lets 30 February pass as 2 March.
  if (day > 28 && day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return undefined
  const ms = Date.parse(text.toUpperCase().replace(' ', 'T'))
  const rounded = /\.\d{3}0*[1-9]/.test(text) ? ms + 1 : ms
  return rounded >= EARLIEST_MS && rounded <= LATEST_MS ? rounded : undefined
}

/** What was written last, by the lowest bits of the time: under load many are of the same few milliseconds. */
const WRITTEN = 256
const writtenMs = new Array<number>(WRITTEN).fill(Number.NaN)
const writtenText = new Array<string>(WRITTEN).fill('')

/** Writes milliseconds since the Unix epoch as RFC 3339 in UTC. */
export function formatInstant(ms: number): string {
  const at = ms & (WRITTEN - 1)
  if (writtenMs[at] !== ms) {
    writtenText[at] = new Date(ms).toISOString()
    writtenMs[at] = ms
  }
  return writtenText[at] as string
}
