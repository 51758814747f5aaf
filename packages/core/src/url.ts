import type { FieldError } from './errors.js'
import { Known } from './known.js'
import { LIMITS } from './limits.js'

export type Query = Readonly<Record<string, QueryValue | readonly QueryValue[]>>
export type QueryValue = string | number | boolean

/**
 * Checks that `text` is an absolute http or https URL without credentials, appends `query` to it and returns it in the
 * form in which it is called (no fragment). Pushes what is wrong to `errors` and then returns an empty string.
 */
export function checkUrl(text: string, query: Query | undefined, pointer: string, errors: FieldError[]): string {
  const fail = (detail: string): string => {
    errors.push({ pointer, code: 'invalid-url', detail })
    return ''
  }
  const found = query === undefined ? known.get(text) : undefined
  if (found !== undefined) return found
  // The URL parser trims and drops these; what a person wrote and what is called must not differ.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  if (/[\x00-\x20\x7f\\]/.test(text)) return fail('A URL has no blanks, control characters or backslashes.')
  if (!/^https?:\/\/[^/]/i.test(text)) return fail('This must be an absolute URL that begins with http:// or https://.')
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return fail('This URL cannot be read.')
  }
  if (url.username || url.password || /^https?:\/\/[^/?#]*@/i.test(text)) {
    return fail('Credentials do not belong in a URL: send an Authorization header.')
  }
  if (url.port === '0') return fail('Port 0 cannot be called.')
  url.hash = ''
  const href = query ? withQuery(url, query) : url.href
  if (href.length > LIMITS.urlBytesMax)
    return fail(`A URL may have ${LIMITS.urlBytesMax} bytes, its query included; this one has ${href.length}.`)
  return query ? href : known.set(text, href)
}

/** What URLs became: most are called again and again, and reading one costs more than all else of an instruction. */
const known = new Known<string>()

/** The part of a checked URL up to its path: `https://api.example.com:8443`. */
export function originOf(url: string): string {
  const end = endOfOrigin(url)
  return url.slice(0, end)
}

/** The part of a checked URL behind its origin: path and query. */
export function pathOf(url: string): string {
  return url.slice(endOfOrigin(url)) || '/'
}

function endOfOrigin(url: string): number {
  const slash = url.indexOf('/', 8)
  return slash < 0 ? url.length : slash
}

function withQuery(url: URL, query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => `${encode(name)}=${encode(String(one))}`),
  )
  if (pairs.length === 0) return url.href
  return `${url.href}${url.href.includes('?') ? (url.search ? '&' : '') : '?'}${pairs.join('&')}`
}

// Lone surrogates make encodeURIComponent throw; well-formed text does not. The URL parser encodes the apostrophe too:
// the URL must not change, and grow, when it is read again.
const encode = (text: string): string => encodeURIComponent(text.toWellFormed()).replaceAll("'", '%27')
