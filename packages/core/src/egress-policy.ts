import { type Address, addressOfHost, isPublic, isWithin, type Range, readAddress, readRange } from './address.js'
import { type ErrorCode, type FieldError, PosthasteError } from './errors.js'
import type { CallContent } from './instruction.js'
import { Known } from './known.js'
import { type FunctionMap, functionOf, NO_FUNCTIONS } from './named-function.js'
import { matchesOrigin, type OriginPattern, parseOriginPattern, readOrigin } from './origin-pattern.js'
import { isFunctionUrl, originOf } from './url.js'

/** What may be called. */
export interface EgressRules {
  /** Patterns of origins, one of which must fit. */
  readonly allowTargets: readonly string[]
  /** Patterns of origins, none of which may fit. */
  readonly denyTargets: readonly string[]
  /** Addresses that are not public and may be called all the same: `10.0.0.0/8`, or one address. */
  readonly allowAddresses: readonly string[]
  /** Ports, and ranges of them: `1024-65535`. */
  readonly ports: readonly string[]
}

/** What may be called where nobody says anything else: whatever is public, on the ports of the web and those that anybody may use. */
export const DEFAULT_EGRESS: EgressRules = {
  allowTargets: ['*://*:*'],
  denyTargets: [],
  allowAddresses: [],
  ports: ['80', '443', '1024-65535'],
}

type PortRange = readonly [number, number]

/**
 * Decides what may be called. Twice: by the URL, which is all that is known when it is accepted, and by each address that
 * is about to be connected to, for only then is it known where a name leads.
 */
export class EgressPolicy {
  readonly #allowed: readonly OriginPattern[]
  readonly #denied: readonly OriginPattern[]
  readonly #addresses: readonly Range[]
  readonly #ports: readonly PortRange[]
  /** By origin. */
  readonly #known = new Known<boolean>()
  readonly #functions: () => FunctionMap

  /**
   * `functions` are those that there are now: what the operator calls a function may be called, wherever it is.
   * @throws PosthasteError `invalid-configuration` if a rule cannot be read
   */
  constructor(rules: Partial<EgressRules> = {}, functions: () => FunctionMap = () => NO_FUNCTIONS) {
    this.#functions = functions
    const { allowAddresses, allowTargets, denyTargets, ports } = { ...DEFAULT_EGRESS, ...rules }
    this.#allowed = readAll(allowTargets, parseOriginPattern)
    this.#denied = readAll(denyTargets, parseOriginPattern)
    this.#addresses = readAll(allowAddresses, readRange)
    this.#ports = readAll(ports, readPorts)
  }

  /** Whether a checked URL may be called, if its host turns out to be at addresses that may be. */
  allowsUrl(url: string): boolean {
    if (isFunctionUrl(url)) return functionOf(url, this.#functions()) !== undefined
    const origin = originOf(url)
    return this.#known.get(origin) ?? this.#known.set(origin, this.#allowsOrigin(origin))
  }

  /** Whether an address, of whatever form, may be connected to. */
  allowsAddress(text: string): boolean {
    const address = readAddress(text)
    return address !== undefined && this.#isCallable(address)
  }

  #allowsOrigin(text: string): boolean {
    if (!/^https?:\/\//.test(text)) return false
    const origin = readOrigin(text)
    const fits = (pattern: OriginPattern): boolean => matchesOrigin(pattern, origin)
    if (!this.#allowed.some(fits) || this.#denied.some(fits)) return false
    if (!this.#ports.some(([from, to]) => origin.port >= from && origin.port <= to)) return false
    const address = addressOfHost(origin.host)
    return address === undefined || this.#isCallable(address)
  }

  #isCallable(address: Address): boolean {
    return isPublic(address) || this.#addresses.some((range) => isWithin(address, range))
  }
}

/** The URLs that a call, or what tells of its end, goes to, by where its instruction says so. */
export function urlsOf({
  forwardTo,
  onFailure,
  onSuccess,
  target,
}: Pick<CallContent, 'forwardTo' | 'onFailure' | 'onSuccess' | 'target'>): [pointer: string, url: string][] {
  const urls: [string, string][] = [['/target', target]]
  if (forwardTo !== undefined) urls.push(['/forwardTo', forwardTo])
  if (onSuccess) urls.push(['/onSuccess', onSuccess.url])
  if (onFailure) urls.push(['/onFailure', onFailure.url])
  return urls
}

const REFUSED: ErrorCode = 'target-refused'
/** Neither the address nor the reason: whoever tries what is within reach is to learn nothing. */
const REFUSED_DETAIL = 'This may not be called from here.'
const UNKNOWN: ErrorCode = 'unknown-function'
const UNKNOWN_DETAIL = 'There is no function of this name.'

export function unknownFunction(): PosthasteError {
  return new PosthasteError(UNKNOWN, UNKNOWN_DETAIL)
}

export function targetRefused(): PosthasteError {
  return new PosthasteError(REFUSED, REFUSED_DETAIL)
}

/**
 * Checks all that a call names. `under` is where its instruction stands in what was sent.
 * @throws PosthasteError `target-refused`, or `unknown-function`, with every field that names what may not be called
 */
export function checkTargets(call: Parameters<typeof urlsOf>[0], policy: EgressPolicy, under = ''): void {
  const fields: FieldError[] = []
  for (const [pointer, url] of urlsOf(call)) {
    if (policy.allowsUrl(url)) continue
    const why = isFunctionUrl(url)
      ? { code: UNKNOWN, detail: UNKNOWN_DETAIL }
      : { code: REFUSED, detail: REFUSED_DETAIL }
    fields.push({ pointer: under + pointer, ...why })
  }
  if (fields.length > 0) throw PosthasteError.ofFields(fields)
}

/** Reads `80` or `1024-65535`; undefined if it is neither. */
export function readPorts(text: string): PortRange | undefined {
  const [, from = '', to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? []
  const isRange = from !== '' && Number(from) >= 1 && Number(from) <= Number(to) && Number(to) <= 65_535
  return isRange ? [Number(from), Number(to)] : undefined
}

function readAll<T>(texts: readonly string[], read: (text: string) => T | undefined): T[] {
  return texts.map((text) => {
    const rule = read(text)
    if (rule === undefined)
      throw new PosthasteError('invalid-configuration', `"${text}" does not say what may be called.`)
    return rule
  })
}
