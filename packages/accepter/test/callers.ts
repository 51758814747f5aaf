import { createToken, hashToken, type Scope, type TokenHolder } from '@posthaste/core'
import { exportJWK, generateKeyPair, type JSONWebKeySet, SignJWT } from 'jose'
import type { Credentials, JwtOptions } from '../src/index.js'
import { JwtCallers, Tokens } from '../src/index.js'
import { silent } from './setting.js'

export const ISSUER = 'https://issuer.example.com'
export const AUDIENCE = 'posthaste'

/** A token and who has it. */
export function holderOf(given: Partial<TokenHolder> & { readonly scopes: readonly Scope[] }) {
  const token = createToken()
  const holder: TokenHolder = {
    name: given.scopes.join('-') || 'idle',
    tenant: '',
    hashes: [hashToken(token)],
    ...given,
  }
  return { token, holder }
}

/** Tokens and JWTs together, as a process takes them. */
export function credentialsOf(holders: readonly TokenHolder[], jwts?: JwtCallers): Credentials {
  const tokens = new Tokens(holders)
  return {
    callerOf: (shown) => (shown.includes('.') ? jwts : tokens)?.callerOf(shown),
    keyOf: (id) => tokens.keyOf(id),
  }
}

/** One who issues JWTs. */
export async function startIssuer() {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }
  const keys: JSONWebKeySet = { keys: [jwk] }
  const sign = (claims: Readonly<Record<string, unknown>>, key = privateKey, header: object = {}): Promise<string> =>
    new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'somebody', exp: nowS() + 600, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'one', ...header })
      .sign(key)
  return { keys, jwk, sign, privateKey }
}

export function jwtCallers(keys: URL | JSONWebKeySet, more: Partial<JwtOptions> = {}): JwtCallers {
  const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA']
  return new JwtCallers({ issuer: ISSUER, audience: AUDIENCE, keys, algorithms, log: silent, ...more })
}

export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` }
}

/** JSON Web Tokens count in seconds. */
export function nowS(): number {
  return Math.floor(Date.now() / 1_000)
}
