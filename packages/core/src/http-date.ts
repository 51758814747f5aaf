const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const TIME = '(\\d\\d):(\\d\\d):(\\d\\d)'
const HALF_CENTURY = 50

// RFC 9110 section 5.6.7: the form of today and the two of old, which have to be read too.
const FORMS = [
  new RegExp(`^[A-Z][a-z]{2}, (?<day>\\d\\d) (?<month>[A-Z][a-z]{2}) (?<year>\\d{4}) (?<time>${TIME}) GMT$`),
  new RegExp(`^[A-Z][a-z]+day, (?<day>\\d\\d)-(?<month>[A-Z][a-z]{2})-(?<year>\\d\\d) (?<time>${TIME}) GMT$`),
  new RegExp(`^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \\d]\\d) (?<time>${TIME}) (?<year>\\d{4})$`),
]

/** Reads a date of an HTTP header and returns milliseconds since the Unix epoch; undefined if the text is not one. */
export function parseHttpDate(text: string, nowMs: number): number | undefined {
  for (const form of FORMS) {
    const { day, month = '', time, year } = form.exec(text)?.groups ?? {}
    const index = MONTHS.indexOf(month)
    if (index < 0) continue
    const [hours, minutes, seconds] = String(time).split(':').map(Number) as [number, number, number]
    const ms = Date.UTC(fullYear(String(year), nowMs), index, Number(day), hours, minutes, seconds)
    // Date.UTC lets 30 February pass as 2 March; 60 is a leap second.
    const isDate = new Date(ms - seconds * 1_000).getUTCDate() === Number(day) && hours < 24 && minutes < 60
    return isDate && seconds <= 60 ? ms : undefined
  }
  return undefined
}

/** Two digits that seem to be more than 50 years ahead are of the century before. */
function fullYear(year: string, nowMs: number): number {
  if (year.length === 4) return Number(year)
  const thisYear = new Date(nowMs).getUTCFullYear()
  const full = thisYear - (thisYear % 100) + Number(year)
  return full > thisYear + HALF_CENTURY ? full - 100 : full
}
