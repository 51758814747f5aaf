import {
  functionNameOf,
  Known,
  matchesFunction,
  matchesOrigin,
  type OriginPattern,
  originOf,
  readOrigin,
  SCOPES,
  type Scope,
} from '@posthaste/core'

export type { Scope } from '@posthaste/core'

/** Who asks for something. */
export interface Caller {
  /** For people, and for limits: no two have the same. */
  readonly name: string
  /** Empty: the operator's own. */
  readonly tenant: string
  readonly scopes: ReadonlySet<Scope>
  /** Whether it may have a checked URL called. */
  mayName(url: string): boolean
  /** How often it may ask; as often as it likes if left out. */
  readonly limit?: RequestLimit
  /** How many invocations of its tenant may be open; any number if left out. */
  readonly openMax?: number
}

/** So many requests a second, and after a rest so many at once. */
export interface RequestLimit {
  readonly requestsPerSecond: number
  readonly burst: number
}

/** What a caller is held to of whom nothing else is said. */
export type UsualLimits = Pick<Caller, 'limit' | 'openMax'>

/** Tells callers by what they show. */
export interface Credentials {
  /**
   * Undefined: nobody that is known.
   * @throws PosthasteError `not-ready` if it cannot be told now
   */
  callerOf(token: string): Caller | undefined | Promise<Caller | undefined>
  /** By the id of an access key: who has it. Left out: there are none. */
  keyOf?(id: string): CallersKey | undefined
}

/** By what somebody signs what he asks for. */
export interface CallersKey {
  readonly caller: Caller
  readonly secret: string
}

/** Where nobody has to say who he is. */
export const ANYONE: Caller = { name: 'anyone', tenant: '', scopes: new Set(SCOPES), mayName: () => true }
/** Who does not say who he is, where one has to. */
export const NOBODY: Caller = { name: 'nobody', tenant: '', scopes: new Set(), mayName: () => false }
/** Who shows the secret of pings. */
export const PINGER: Caller = { ...NOBODY, name: 'ping', scopes: new Set(['operate']) }

/** What there is to a limit of requests: without a burst, what a second lets through. */
export function requestLimit(requestsPerSecond: number, burst?: number): RequestLimit {
  return { requestsPerSecond, burst: burst ?? Math.max(1, Math.ceil(requestsPerSecond)) }
}

/**
 * A caller who may have called what fits one of some patterns of origins, or of names of functions. Who is told of neither
 * may have anything called; who is told of one, nothing of the other.
 */
export function namesOnly(targets?: readonly OriginPattern[], functions?: readonly string[]): Caller['mayName'] {
  if (!targets && !functions) return () => true
  const known = new Known<boolean>()
  const isNamed = (url: string): boolean => {
    const name = functionNameOf(url)
    if (name !== undefined) return matchesFunction(functions ?? [], name)
    const origin = readOrigin(url)
    return (targets ?? []).some((pattern) => matchesOrigin(pattern, origin))
  }
  return (url) => {
    const origin = originOf(url)
    return known.get(origin) ?? known.set(origin, isNamed(url))
  }
}
