import { Known } from './known.js'
import { matchesOrigin, type OriginPattern, parseOriginPattern, readOrigin } from './origin-pattern.js'
import type { SigningKey } from './signing-key.js'
import { isFunctionUrl, originOf, pathOf } from './url.js'

/** What the operator says of a target: how calls of it are signed, over which TLS they go, what is not kept. Plain data. */
export interface TargetRule {
  readonly match: TargetPattern
  /** The first that a target knows will do: with a new and an old one a secret is changed. */
  readonly sign?: readonly SigningKey[]
  readonly tls?: TargetTls
  /** JSON pointers (RFC 6901) to what is blanked in the bodies of calls and responses that are shown or kept. */
  readonly redact?: readonly string[]
}

export interface TargetPattern {
  readonly origin: OriginPattern
  /** Undefined for any. Otherwise a path, or what paths begin with if it ends with `*`. The query does not matter. */
  readonly path?: string
}

/** What differs from the usual for TLS with a target. PEM text. */
export interface TargetTls {
  readonly cert?: string
  readonly key?: string
  /** The only ones to trust, instead of those of Node. */
  readonly ca?: string
  readonly minVersion?: TlsVersion
}

export const TLS_VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
export type TlsVersion = (typeof TLS_VERSIONS)[number]

/** Reads `https://*.example.com` or `https://hooks.example.com/team-a/*`; undefined if it is neither. */
export function parseTargetPattern(text: string): TargetPattern | undefined {
  const [, start = '', path] = /^([^/]*:\/\/[^/]*)(\/.*)?$/.exec(text) ?? []
  const origin = parseOriginPattern(start)
  if (!origin || (path !== undefined && !isPath(path))) return undefined
  return { origin, ...(path !== undefined && path !== '/*' && { path }) }
}

/** In the form in which URLs are called, so that it can match one. */
function isPath(path: string): boolean {
  const fixed = path.endsWith('*') ? path.slice(0, -1) : path
  return !/[*?#]/.test(fixed) && new URL(`http://a${fixed}`).href === `http://a${fixed}`
}

/**
 * What holds for a URL, which must be a checked one: of the rules that match it and say anything of `what`, the first.
 * TLS is a matter of the origin: no rule with a path says anything of it.
 */
export function ruleFor<K extends 'sign' | 'tls' | 'redact'>(
  rules: readonly TargetRule[],
  what: K,
  url: string,
): TargetRule[K] | undefined {
  // What a function is called by is no place: rules are for where it is.
  if (rules.length === 0 || isFunctionUrl(url)) return undefined
  return rulesOfOrigin(rules, url).find((rule) => rule[what] !== undefined && matchesPath(rule.match, url))?.[what]
}

/** Of some rules those for an origin, so that a call costs the same however many there are. */
const known = new WeakMap<readonly TargetRule[], Known<readonly TargetRule[]>>()

function rulesOfOrigin(rules: readonly TargetRule[], url: string): readonly TargetRule[] {
  const byOrigin = known.get(rules) ?? new Known()
  known.set(rules, byOrigin)
  const origin = originOf(url)
  return (
    byOrigin.get(origin) ??
    byOrigin.set(
      origin,
      rules.filter(({ match }) => matchesOrigin(match.origin, readOrigin(url))),
    )
  )
}

function matchesPath({ path: pattern }: TargetPattern, url: string): boolean {
  if (pattern === undefined) return true
  const [path = ''] = pathOf(url).split('?', 1)
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern
}
