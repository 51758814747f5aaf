/**
 * Bodies that say when they were sent, so that whoever gets one can tell how long it took and which one it is, without
 * reading all of it. Numbers stand in a fixed width at the beginning of the JSON text.
 */
const START = '{"sequence":"'
const SEQUENCE_DIGITS = 10
const BETWEEN = '","sentUs":"'
const SENT_DIGITS = 16
const PADDING = '","padding":"'
const END = '"}'

const SEQUENCE_AT = START.length
const SENT_AT = SEQUENCE_AT + SEQUENCE_DIGITS + BETWEEN.length
/** The smallest body that can be marked, in bytes. */
const MARKED_BYTES_MIN = SENT_AT + SENT_DIGITS + PADDING.length + END.length

/** JSON text of `bytes` bytes, not marked yet. @throws RangeError if the marks do not fit */
export function unmarkedBody(bytes: number): string {
  if (bytes < MARKED_BYTES_MIN) throw new RangeError(`A marked body has ${MARKED_BYTES_MIN} bytes at least.`)
  const start = `${START}${'0'.repeat(SEQUENCE_DIGITS)}${BETWEEN}${'0'.repeat(SENT_DIGITS)}${PADDING}`
  return `${start}${'x'.repeat(Math.max(0, bytes - start.length - END.length))}${END}`
}

/** Marks the body that begins at `at`. */
export function markBody(buffer: Buffer, at: number, sequence: number, sentUs: number): void {
  writeDigits(buffer, at + SEQUENCE_AT, SEQUENCE_DIGITS, sequence)
  writeDigits(buffer, at + SENT_AT, SENT_DIGITS, sentUs)
}

/** Reads the marks of the body that begins at `at`. */
export function readMarks(buffer: Buffer, at: number): { readonly sequence: number; readonly sentUs: number } {
  return {
    sequence: readDigits(buffer, at + SEQUENCE_AT, SEQUENCE_DIGITS),
    sentUs: readDigits(buffer, at + SENT_AT, SENT_DIGITS),
  }
}

/** Microseconds by a clock that all processes of the machine share. */
export function machineUs(): number {
  return Number(process.hrtime.bigint() / 1_000n)
}

function writeDigits(buffer: Buffer, at: number, digits: number, value: number): void {
  let rest = Math.floor(value)
  for (let index = at + digits - 1; index >= at; index -= 1) {
    buffer[index] = 48 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}

function readDigits(buffer: Buffer, at: number, digits: number): number {
  let value = 0
  for (let index = at; index < at + digits; index += 1) value = value * 10 + (buffer[index] as number) - 48
  return value
}
