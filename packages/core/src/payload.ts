import { isUtf8 } from 'node:buffer'
import { isJson } from './json-text.js'

/** What was sent or answered. */
export interface Payload {
  readonly bytes: Uint8Array
  /** More than `bytes` has if it was not kept. */
  readonly wholeBytes: number
  readonly contentType: string | undefined
  /** Of bytes that are compressed or the like. */
  readonly contentEncoding: string | undefined
}

/** A payload as a value within JSON. */
export interface ShownPayload {
  /** JSON. */
  readonly text: string
  /** What that is: the payload itself, or a string of its text, or of its bytes in base64. */
  readonly encoding: 'json' | 'text' | 'base64'
  /** Of what is not all there: how many bytes all of it has. */
  readonly truncatedBytes?: number
}

/** Shows two payloads within `bytesMax` together: if need be each is cut to half of them, or to what the other leaves. */
export function fitPayloads(
  one: Payload | undefined,
  other: Payload | undefined,
  bytesMax: number,
): [ShownPayload | undefined, ShownPayload | undefined] {
  const shown = [one && shownPayload(one), other && shownPayload(other)] as const
  const [oneBytes = 0, otherBytes = 0] = shown.map((payload) => payload && Buffer.byteLength(payload.text))
  if (oneBytes + otherBytes <= bytesMax) return [...shown]
  const half = Math.floor(bytesMax / 2)
  return [
    one && shownPayload(one, Math.max(half, bytesMax - otherBytes)),
    other && shownPayload(other, Math.max(half, bytesMax - oneBytes)),
  ]
}

/** Shows a payload, or as much of its start as `bytesMax` allow. */
export function shownPayload(payload: Payload, bytesMax = Number.POSITIVE_INFINITY): ShownPayload {
  const { bytes, wholeBytes } = payload
  if (bytes.length === 0)
    return { text: 'null', encoding: 'json', ...(wholeBytes > 0 && { truncatedBytes: wholeBytes }) }
  const whole = wholePayload(payload)
  if (Buffer.byteLength(whole.text) <= bytesMax) return whole
  const encoding = whole.encoding === 'base64' ? 'base64' : 'text'
  return { text: startWithin(bytes, encoding, bytesMax), encoding, truncatedBytes: wholeBytes }
}

function wholePayload({ bytes, contentEncoding, contentType }: Payload): ShownPayload {
  if (contentEncoding !== undefined || !isUtf8(bytes))
    return { text: textOf(bytes, bytes.length, 'base64'), encoding: 'base64' }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
  const mayBeJson = contentType === undefined || /json/i.test(contentType)
  return mayBeJson && isJson(text) ? { text, encoding: 'json' } : { text: JSON.stringify(text), encoding: 'text' }
}

/** The string of a start of `bytes`, in JSON of `bytesMax` at the most. */
function startWithin(bytes: Uint8Array, encoding: 'text' | 'base64', bytesMax: number): string {
  for (let count = Math.min(bytes.length, bytesMax); count > 0; ) {
    const text = textOf(bytes, count, encoding)
    const length = Buffer.byteLength(text)
    if (length <= bytesMax) return text
    // What is escaped grows: less of it, in proportion.
    count = Math.min(count - 1, Math.floor((count * bytesMax) / length))
  }
  return '""'
}

function textOf(bytes: Uint8Array, count: number, encoding: 'text' | 'base64'): string {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, count)
  if (encoding === 'base64') return JSON.stringify(start.toString('base64'))
  // A character that the cut goes through is left out.
  return JSON.stringify(new TextDecoder('utf-8', { ignoreBOM: true }).decode(start, { stream: true }))
}
