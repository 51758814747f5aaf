import { PosthasteError } from './errors.js'

const NEWLINE = 0x0a

/** Joins one line of JSON and raw bytes to a record. The document must say how many bytes follow. */
export function joinLine(document: object, parts: readonly Uint8Array[]): Uint8Array {
  const line = JSON.stringify(document)
  const lineBytes = Buffer.byteLength(line)
  let at = lineBytes + 1
  const record = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + part.length, at))
  record.write(line, 0)
  record[lineBytes] = NEWLINE
  for (const part of parts) {
    record.set(part, at)
    at += part.length
  }
  return record
}

/**
 * Splits a record into its JSON document and the raw bytes behind its first line. Without the field that counts these
 * bytes, the whole record is the document, in any layout, and `rest` is undefined.
 * @throws PosthasteError `record-unreadable`
 */
export function splitLine(bytes: Uint8Array, countField: string): { document: object; rest: Uint8Array | undefined } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const newline = buffer.indexOf(NEWLINE)
  const line = newline < 0 ? undefined : parseObject(buffer.toString('utf8', 0, newline))
  const count = line && (line as Record<string, unknown>)[countField]
  if (line === undefined || typeof count !== 'number')
    return { document: wholeDocument(buffer, line, newline), rest: undefined }
  const rest = buffer.subarray(newline + 1)
  if (rest.length !== count) {
    throw new PosthasteError(
      'record-unreadable',
      `${countField} says that ${count} bytes follow the first line; ${rest.length} do.`,
    )
  }
  return { document: line, rest }
}

function wholeDocument(buffer: Buffer, line: object | undefined, newline: number): object {
  const onlyLine = newline === buffer.length - 1
  const document = line && onlyLine ? line : parseObject(buffer.toString('utf8'))
  if (!document) throw new PosthasteError('record-unreadable', 'The record is not a JSON object.')
  return document
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
