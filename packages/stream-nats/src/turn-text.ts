import { PosthasteError } from '@posthaste/core'
import type { Turn } from '@posthaste/stream'

/** A subject that holds a key, with all that stands around it, must fit the server's control line of 4 KiB. */
const ENCODED_BYTES_MAX = 2_048
const PLAIN = /^[A-Za-z0-9_-]+$/
const NOT_PLAIN = /[^A-Za-z0-9_-]/gu

/**
 * Any text as one token of a subject, which is also good as a key of a bucket and as a header: letters, digits, `_` and
 * `-` as they are, every other byte of its UTF-8 as `=` and two hex digits, the empty text as `=`.
 * @throws PosthasteError `too-large`
 */
export function encodeToken(text: string): string {
  const token = PLAIN.test(text) ? text : text.replace(NOT_PLAIN, encodeCharacter) || '='
  if (token.length > ENCODED_BYTES_MAX) {
    throw new PosthasteError('too-large', `A key may have ${ENCODED_BYTES_MAX} characters; this one has more.`)
  }
  return token
}

export function decodeToken(token: string): string {
  if (!token.includes('=')) return token
  return token === '=' ? '' : decodeURIComponent(token.replaceAll('=', '%'))
}

function encodeCharacter(character: string): string {
  let encoded = ''
  for (const byte of Buffer.from(character)) encoded += `=${byte.toString(16).padStart(2, '0').toUpperCase()}`
  return encoded
}

/** `key.generation.attempt`: equal for equal turns only, and fit for a subject. */
export function encodeTurn({ key, generation = 1, attempt = 1 }: Turn): string {
  return `${encodeToken(key)}.${generation}.${attempt}`
}

const TURN = /^([A-Za-z0-9_=-]+)\.([1-9]\d{0,8})\.([1-9]\d{0,8})$/

/** The turn that a text of `encodeTurn` says; undefined for any other text. */
export function decodeTurn(text: string): Required<Turn> | undefined {
  const found = TURN.exec(text)
  if (!found) return undefined
  const [, token = '', generation, attempt] = found
  try {
    return { key: decodeToken(token), generation: Number(generation), attempt: Number(attempt) }
  } catch {
    return undefined
  }
}
