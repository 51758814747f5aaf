import {
  FUNCTION_PATTERN,
  hashToken,
  isScope,
  type Log,
  PosthasteError,
  parseOriginPattern,
  TENANT_PATTERN,
} from '@posthaste/core'
import type { JSONWebKeySet, JWTPayload } from 'jose'
import { type Caller, type Credentials, namesOnly, type Scope, type UsualLimits } from './caller.js'
import type { JwtVerifier } from './jwt-verifier.js'

export interface JwtOptions {
  readonly issuer: string
  readonly audience: string
  /** Where its keys are, or which. */
  readonly keys: URL | JSONWebKeySet
  /** Names of JWA; none that is not asymmetric. */
  readonly algorithms: readonly string[]
  /** The claim that names the tenant, which every token must have then. Left out: all are the operator's own. */
  readonly tenantClaim?: string
  /** How often each subject may ask, and how much its tenant may have open. */
  readonly limits?: UsualLimits
  readonly log: Log
}

/** For so long a token that was verified is not verified again: a key that was revoked counts as long. */
const KNOWN_MS = 60_000
const KNOWN_MAX = 1_000
/** OpenID Connect Core 1.0, section 2. */
const SUBJECT_LENGTH_MAX = 255
const FUNCTION = new RegExp(FUNCTION_PATTERN)

/** Callers by JWTs of one issuer (RFC 7519): their scopes are in the claim `scope`, as words (RFC 8693, section 4.2). */
export class JwtCallers implements Credentials {
  readonly #options: JwtOptions
  readonly #verifier: Promise<JwtVerifier>
  /** By hash. */
  readonly #known = new Map<string, { readonly caller: Caller; readonly untilMs: number }>()

  constructor(options: JwtOptions) {
    this.#options = options
    // Loaded where it is needed: most processes start without.
    this.#verifier = import('./jwt-verifier.js').then(({ jwtVerifier }) => jwtVerifier(options))
  }

  callerOf(token: string): Caller | undefined | Promise<Caller | undefined> {
    const hash = hashToken(token).toString('latin1')
    const known = this.#known.get(hash)
    return known && Date.now() < known.untilMs ? known.caller : this.#verify(token, hash)
  }

  async #verify(token: string, hash: string): Promise<Caller | undefined> {
    const claims = await (await this.#verifier)(token)
    if (!claims) return undefined
    const caller = this.#read(claims)
    this.#remember(hash, caller, claims.exp as number)
    return caller
  }

  /** @throws PosthasteError `forbidden` if a claim is missing that it needs */
  #read(claims: JWTPayload): Caller {
    const { limits, tenantClaim } = this.#options
    const { functions, scope, sub, targets } = claims
    const tenant = tenantClaim === undefined ? '' : claims[tenantClaim]
    if (typeof tenant !== 'string' || (tenantClaim !== undefined && !new RegExp(TENANT_PATTERN).test(tenant)))
      throw new PosthasteError('forbidden', `This token has no claim "${tenantClaim}" that names a tenant.`)
    // What the library gives as text may be anything.
    if (typeof sub !== 'string' || sub === '' || sub.length > SUBJECT_LENGTH_MAX)
      throw new PosthasteError('forbidden', 'The claim "sub" of this token is not 1 to 255 characters.')
    return {
      ...limits,
      name: `jwt:${sub}`,
      tenant,
      scopes: scopesIn(typeof scope === 'string' ? scope : '', tenant),
      mayName: namesOnly(targets === undefined ? undefined : readTargets(targets), readFunctions(functions)),
    }
  }

  #remember(hash: string, caller: Caller, expiresAtS: number): void {
    if (this.#known.size >= KNOWN_MAX) this.#known.clear()
    this.#known.set(hash, { caller, untilMs: Math.min(Date.now() + KNOWN_MS, expiresAtS * 1_000) })
  }
}

function readTargets(claim: unknown) {
  const texts: readonly unknown[] = Array.isArray(claim) ? claim : [undefined]
  return texts.map((text) => {
    const pattern = typeof text === 'string' ? parseOriginPattern(text) : undefined
    if (!pattern) throw new PosthasteError('forbidden', 'The claim "targets" of this token is not a list of origins.')
    return pattern
  })
}

function readFunctions(claim: unknown): readonly string[] | undefined {
  if (claim === undefined) return undefined
  const patterns: readonly unknown[] = Array.isArray(claim) ? claim : [undefined]
  const isPattern = (one: unknown): one is string => typeof one === 'string' && FUNCTION.test(one)
  if (patterns.every(isPattern)) return patterns
  throw new PosthasteError('forbidden', 'The claim "functions" of this token is not a list of names of functions.')
}

/** Who operates sees all tenants: none of them may. */
function scopesIn(words: string, tenant: string): ReadonlySet<Scope> {
  const scopes = words.split(' ').filter(isScope)
  return new Set(scopes.filter((scope) => scope !== 'operate' || tenant === ''))
}
