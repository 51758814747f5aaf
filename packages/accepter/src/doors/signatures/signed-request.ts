import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Unauthenticated } from '../../unauthenticated.js'

/** Clocks may differ, and a request may be on its way, so long; as long can one be sent again by who has seen it. */
const AGE_MS_MAX = 900_000

/** A request as it was signed. */
export class SignedRequest {
  readonly method: string
  /** As it came, encoded. */
  readonly path: string
  /** The same behind the prefix of the door, which to some clients is part of the host. */
  readonly pathAtDoor: string
  /** The query without the question mark. */
  readonly query: string
  /** What follows the name of the scheme. */
  readonly authorization: string
  /** Headers that must be signed if they are there, whatever the signature. */
  readonly mustSign: readonly string[]
  /** Values by name in lower case, in the order in which they came. */
  readonly #headers = new Map<string, string[]>()

  constructor(
    { headers, method = '', rawHeaders, url = '' }: IncomingMessage,
    pathAtDoor: string,
    mustSign: readonly string[],
  ) {
    const [path = '', ...query] = url.split('?')
    this.method = method
    this.path = path
    this.pathAtDoor = pathAtDoor
    this.mustSign = mustSign
    this.query = query.join('?')
    this.authorization = (headers.authorization ?? '').replace(/^\S+ */, '')
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = (rawHeaders[at] as string).toLowerCase()
      this.#headers.set(name, [...(this.#headers.get(name) ?? []), rawHeaders[at + 1] as string])
    }
  }

  get headerNames(): readonly string[] {
    return [...this.#headers.keys()]
  }

  /** A header of which there may be several, as it is signed; undefined if there is none. */
  header(name: string): string | undefined {
    return this.#headers.get(name)?.join(',')
  }

  /** The fields of `Authorization`, such as `Signature=…`, between commas. */
  get fields(): ReadonlyMap<string, string> {
    const pairs = this.authorization.split(',').map((part) => part.trim().split(/=(.*)/s, 2) as [string, string])
    return new Map(pairs)
  }

  /** The names of the headers that are signed. @throws Unauthenticated if one is not that must be, or is not there */
  signedNames(must: RegExp): readonly string[] {
    const names = (this.fields.get('SignedHeaders') ?? '').split(';')
    const needed = ['host', ...this.headerNames].filter((name) => must.test(name) || this.mustSign.includes(name))
    const unsigned = needed.find((name) => !names.includes(name))
    if (unsigned !== undefined) throw incomplete(`The header ${unsigned} is not signed.`)
    if (names.some((name) => !this.#headers.has(name))) throw incomplete('A header that is signed is not there.')
    return names
  }

  /** In the form that AWS's version 4 and Alibaba's version 3 have in common, but for values of headers. @throws Unauthenticated */
  canonical(path: string, names: readonly string[], bodyHash: string, formOf = (value: string) => value): string {
    const headers = names.map((name) => `${name}:${formOf(this.header(name) ?? '')}`)
    return [this.method, path, canonicalQuery(this.query), ...headers, '', names.join(';'), bodyHash].join('\n')
  }
}

/** @throws Unauthenticated if a time is not of now, or none */
export function checkTime(timeMs: number, nowMs: number): void {
  if (Number.isNaN(timeMs)) throw incomplete('The request does not say when it was signed.')
  // By these words the SDK of AWS knows that its clock is wrong, and asks again by that of the answer.
  if (nowMs - timeMs > AGE_MS_MAX) throw invalid('Signature expired: it was signed more than 15 minutes ago.')
  if (timeMs - nowMs > AGE_MS_MAX) throw invalid('Signature not yet current: it was signed for a time to come.')
}

export function incomplete(detail: string): Unauthenticated {
  return new Unauthenticated('incomplete', detail)
}

export function invalid(detail = 'The signature is not one of this request: check the secret and how it is signed.') {
  return new Unauthenticated('invalid', detail)
}

/** The hash as it is written. Text is taken byte by byte, as it came. */
export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(bytesOf(content)).digest('hex')
}

export function bytesOf(content: string | Buffer): Buffer {
  return typeof content === 'string' ? Buffer.from(content, 'latin1') : content
}

/** Takes as long wherever they differ. */
export function isSame(shown: string, signature: string): boolean {
  const [a, b] = [Buffer.from(shown), Buffer.from(signature)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** As RFC 3986 has it: all is encoded but letters, digits and `-._~`. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** The parameters of a query, decoded. @throws Unauthenticated if they cannot be */
export function parametersOf(query: string): [name: string, value: string][] {
  const parts = query.split('&').filter((part) => part !== '')
  try {
    return parts.map((part) => {
      const [name = '', value = ''] = part.split(/=(.*)/s, 2).map(decodeURIComponent)
      return [name, value]
    })
  } catch {
    throw invalid('A percent sign in the query stands for nothing.')
  }
}

/** By name, and of one name by value. */
function canonicalQuery(query: string): string {
  const encoded = parametersOf(query).map((pair) => pair.map(encode) as [string, string])
  return encoded
    .sort(([a, x], [b, y]) => order(a, b) || order(x, y))
    .map((pair) => pair.join('='))
    .join('&')
}

function order(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
