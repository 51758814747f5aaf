import { type FieldError, pointerPart } from './errors.js'
import { LIMITS } from './limits.js'

/** Header names in lower case with one value, or several in order. */
export type Headers = Readonly<Record<string, string | readonly string[]>>

// RFC 9110 section 5.6.2 (token) and 5.5 (field-value without obs-fold).
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Headers that belong to one connection (RFC 9110 section 7.6.1) or that the HTTP client sets itself. */
export const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export const OWN_PREFIX = 'posthaste-'

/**
 * What a header's name in lower case may become where names are made into those of variables: servers that do so take
 * `Content_Length` for `Content-Length`.
 */
export function likenessOf(name: string): string {
  return name.replace(/[^a-z0-9]/g, '-')
}

type MutableHeaders = Record<string, string | readonly string[]>

/** Makes objects that inherit nothing, so that any word may be a header's name. `Object.create(null)` makes slow ones. */
const HeaderMap = function HeaderMap() {} as unknown as new () => MutableHeaders
HeaderMap.prototype = Object.create(null)

/** Makes an empty set of headers to be filled. */
export function newHeaders(): MutableHeaders {
  return new HeaderMap()
}

/**
 * Lower-cases names, drops those with an empty list and collects in `errors` what is wrong. `ownAllowed` lets
 * `Posthaste-*` pass: records carry them, clients may not forge them.
 */
export function checkHeaders(input: Headers, options: { ownAllowed: boolean }, errors: FieldError[]): MutableHeaders {
  const checked = newHeaders()
  let bytes = 0
  let count = 0
  for (const name of Object.keys(input)) {
    const value = input[name] as string | readonly string[]
    const lower = name.toLowerCase()
    const fault =
      headerFault(name, lower, value, options.ownAllowed) ?? (lower in checked ? duplicate(name) : undefined)
    if (fault) errors.push({ pointer: `/headers/${pointerPart(name)}`, ...fault })
    if (typeof value !== 'string' && value.length === 0) continue
    checked[lower] = value
    for (const one of typeof value === 'string' ? [value] : value) {
      count += 1
      bytes += name.length + one.length
    }
  }
  if (count > LIMITS.headerCountMax) {
    errors.push({
      pointer: '/headers',
      code: 'invalid-header',
      detail: `There may be ${LIMITS.headerCountMax} headers at the most; these are ${count}.`,
    })
  }
  if (bytes > LIMITS.headerBytesMax) {
    errors.push({
      pointer: '/headers',
      code: 'invalid-header',
      detail: `Names and values may have ${LIMITS.headerBytesMax} bytes together; these have ${bytes}.`,
    })
  }
  return checked
}

/** Whether a header, its name in lower case, is one that any instruction may have. */
export function isSendable(name: string, value: Headers[string]): boolean {
  return headerFault(name, name, value, false) === undefined
}

/** All headers of some sets, but for those that there is no room for any more, or that stand in a set before. */
export function fittingHeaders(sets: readonly Headers[]): Headers {
  const fitting = newHeaders()
  let [count, bytes] = [0, 0]
  for (const [name, value] of sets.flatMap((headers) => Object.entries(headers))) {
    const values = [value].flat()
    const size = values.reduce((sum, one) => sum + name.length + one.length, 0)
    const fits = count + values.length <= LIMITS.headerCountMax && bytes + size <= LIMITS.headerBytesMax
    if (name in fitting || !fits) continue
    fitting[name] = value
    count += values.length
    bytes += size
  }
  return { ...fitting }
}

/** Whether a header may have this value. */
export function isHeaderValue(text: string): boolean {
  return VALUE.test(text)
}

type Fault = Pick<FieldError, 'code' | 'detail'>

function headerFault(
  name: string,
  lower: string,
  value: string | readonly string[],
  ownAllowed: boolean,
): Fault | undefined {
  if (!NAME.test(name))
    return { code: 'invalid-header', detail: "A header name has letters, digits and !#$%&'*+-.^_`|~ only." }
  const likeness = likenessOf(lower)
  if (CONNECTION_HEADERS.has(likeness))
    return { code: 'forbidden-header', detail: 'This header belongs to the connection and is set by Posthaste.' }
  if (likeness.startsWith(OWN_PREFIX) && !(ownAllowed && lower.startsWith(OWN_PREFIX)))
    return { code: 'forbidden-header', detail: 'Headers that begin with Posthaste- are set by Posthaste alone.' }
  const legal = typeof value === 'string' ? isHeaderValue(value) : value.every(isHeaderValue)
  if (!legal)
    return {
      code: 'invalid-header',
      detail: 'A header value has no line breaks, no control characters and nothing beyond Latin-1.',
    }
  return undefined
}

function duplicate(name: string): Fault {
  return {
    code: 'conflicting-fields',
    detail: `${name} stands twice, in different letter case: give one name with a list of values.`,
  }
}
