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
  const buffer = bufferOf(bytes)
  const newline = buffer.indexOf(NEWLINE)
  const lineEnd = newline < 0 ? buffer.length : newline
  const line = parseObject(buffer.toString('utf8', 0, lineEnd))
  const count = line && countOf(line, countField)
  if (line === undefined || count === undefined)
    return { document: wholeDocument(buffer, line, lineEnd, countField), rest: undefined }
  const rest = buffer.subarray(lineEnd + 1)
  if (rest.length !== count) {
    throw new PosthasteError(
      'record-unreadable',
      `${countField} says that ${count} bytes follow the first line; ${rest.length} do.`,
    )
  }
  return { document: line, rest }
}

/** How many bytes a record has before its first line break. */
export function firstLineBytes(bytes: Uint8Array): number {
  const newline = bytes.indexOf(NEWLINE)
  return newline < 0 ? bytes.length : newline
}

/** The same bytes, not copied, with the methods of a Buffer. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function wholeDocument(buffer: Buffer, line: object | undefined, lineEnd: number, countField: string): object {
  const onlyLine = lineEnd >= buffer.length - 1
  const document = line && onlyLine ? line : parseObject(buffer.toString('utf8'))
  if (!document) throw new PosthasteError('record-unreadable', 'The record is not a JSON object.')
  if (countOf(document, countField) !== undefined)
    throw new PosthasteError('record-unreadable', `A record with ${countField} has its JSON on one line.`)
  return document
}

function countOf(document: object, countField: string): number | undefined {
  const count = (document as Record<string, unknown>)[countField]
  return typeof count === 'number' ? count : undefined
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
