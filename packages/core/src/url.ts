import type { FieldError } from './errors.js'
import { Known } from './known.js'
import { LIMITS } from './limits.js'

export type Query = Readonly<Record<string, QueryValue | readonly QueryValue[]>>
export type QueryValue = string | number | boolean

/** What names of functions look like: those of OpenFaaS, `name.namespace`, among them. */
export const FUNCTION_NAME = '[A-Za-z0-9][A-Za-z0-9._-]{0,127}'

/**
 * A server that decodes a path before it resolves it, or drops parameters from it (`..;a`), would leave the function's own.
 * What is not encoded is resolved by then.
 */
const WAY_OUT = /(?:\/|%2f|%5c)(?:\.|%2e){2}(?:\/|%2f|%5c|;|%3b|$)/i
const FUNCTION_SCHEME = 'function://'
const FUNCTION_URL = /^function:\/\/([^/?#]*)(.*)$/is
const NAME = new RegExp(`^${FUNCTION_NAME}$`)

/**
 * Checks that `text` is an absolute http or https URL without credentials, or that of a named function, appends `query` to
 * it and returns it in the form in which it is called (no fragment). Pushes what is wrong to `errors` and then returns an
 * empty string.
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
  if (FUNCTION_URL.test(text)) return checkFunctionUrl(text, query, fail)
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
  if (href.length > LIMITS.urlBytesMax) return fail(tooLong(href))
  return query ? href : known.set(text, href)
}

/** `function://NAME/path?query`: in a name letter case counts, and path and query come out as those of any URL. */
function checkFunctionUrl(text: string, query: Query | undefined, fail: (detail: string) => string): string {
  const [, name = '', rest = ''] = FUNCTION_URL.exec(text) ?? []
  if (!NAME.test(name))
    return fail('The name of a function has letters, digits and ._-, up to 128, and begins with a letter or digit.')
  const url = new URL(`http://f${rest}`)
  url.hash = ''
  if (WAY_OUT.test(url.pathname))
    return fail('The path of a function has no `..` beside an encoded slash or a semicolon.')
  const href = FUNCTION_SCHEME + name + (query ? withQuery(url, query) : url.href).slice('http://f'.length)
  return href.length > LIMITS.urlBytesMax ? fail(tooLong(href)) : href
}

function tooLong(href: string): string {
  return `A URL may have ${LIMITS.urlBytesMax} bytes, its query included; this one has ${href.length}.`
}

/** Whether a checked URL is that of a named function. */
export function isFunctionUrl(url: string): boolean {
  return url.startsWith(FUNCTION_SCHEME)
}

/** The name of the function that a checked URL leads to; undefined if it leads to none. */
export function functionNameOf(url: string): string | undefined {
  return isFunctionUrl(url) ? url.slice(FUNCTION_SCHEME.length, endOfOrigin(url)) : undefined
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
  const slash = url.indexOf('/', url.indexOf('://') + 3)
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
