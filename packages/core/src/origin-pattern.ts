import { plainHost } from './address.js'
import { Known } from './known.js'
import { originOf } from './url.js'

/** Where a URL leads. */
export interface Origin {
  readonly scheme: 'http' | 'https'
  /** As a URL has it, without a dot at its end; an IPv4 address as such, in whatever form it came. */
  readonly host: string
  readonly port: number
}

/** Which origins are meant: `https://api.example.com`, `https://*.example.com`, `*://host:8443`, `*://*:*`. Plain data. */
export interface OriginPattern {
  /** Undefined for either. */
  readonly scheme?: Origin['scheme']
  /** Undefined for any. */
  readonly host?: string
  /** Whether the hosts below `host` are meant, and not that itself. */
  readonly isBelow?: true
  /** Left out: that of the scheme. */
  readonly port?: number | 'any'
}

const PORTS = { http: 80, https: 443 } as const

/** For people. */
export const ORIGIN_PATTERN_FORM = 'such as https://api.example.com, https://*.example.com or *://host:8443'

const FORM = /^(https?|\*):\/\/(\*|\*\.[^/?#@\s\\:*[\]]+|[^/?#@\s\\:*[\]]+|\[[0-9a-f:.]+\])(?::(\d{1,5}|\*))?$/i

/**
 * Reads a pattern; undefined if it is none. `*` may stand for the scheme, for the host, for the labels before a host, or
 * for the port. A port that is left out is that of the scheme.
 */
export function parseOriginPattern(text: string): OriginPattern | undefined {
  const [, scheme = '', given = '', port] = FORM.exec(text) ?? []
  const isBelow = given.startsWith('*.')
  const host = given === '*' ? '*' : canonicalHost(isBelow ? given.slice(2) : given)
  if (host === undefined || Number(port) === 0 || Number(port) > 65_535) return undefined
  return {
    ...(scheme !== '*' && { scheme: scheme.toLowerCase() as Origin['scheme'] }),
    ...(host !== '*' && { host }),
    ...(isBelow && { isBelow: true }),
    ...(port !== undefined && { port: port === '*' ? ('any' as const) : Number(port) }),
  }
}

/** By the part of a URL that says it: reading that costs more than to match it with many patterns. */
const known = new Known<Origin>()

/** Of a checked URL. */
export function readOrigin(url: string): Origin {
  const text = originOf(url)
  return known.get(text) ?? known.set(text, originIn(text))
}

function originIn(text: string): Origin {
  const { hostname, port, protocol } = new URL(text)
  const scheme = protocol === 'https:' ? 'https' : 'http'
  return { scheme, host: plainHost(hostname), port: port === '' ? PORTS[scheme] : Number(port) }
}

export function matchesOrigin(pattern: OriginPattern, origin: Origin): boolean {
  const { isBelow, port = PORTS[origin.scheme], scheme = origin.scheme } = pattern
  return (
    scheme === origin.scheme && isHost(origin.host, pattern.host, isBelow) && (port === 'any' || port === origin.port)
  )
}

function isHost(host: string, wanted: string | undefined, isBelow: boolean | undefined): boolean {
  if (wanted === undefined) return true
  return isBelow ? host.endsWith(`.${wanted}`) : host === wanted
}

/** In the form in which a URL has it; undefined if there is no such host. */
function canonicalHost(host: string): string | undefined {
  if (host === '' || !URL.canParse(`http://${host}`)) return undefined
  return plainHost(new URL(`http://${host}`).hostname) || undefined
}
