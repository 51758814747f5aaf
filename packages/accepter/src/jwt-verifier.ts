import { PosthasteError } from '@posthaste/core'
import { errors, type JWTPayload, jwtVerify } from 'jose'
import type { JwtOptions } from './jwt-callers.js'
import { jwtKeys } from './jwt-keys.js'

/** How far the clock of the issuer may be off. */
const TOLERANCE_S = 5
/** Says nothing of the token. */
const KEYS_UNFIT = 'ERR_JWKS_INVALID'

/** Returns the claims of a JWT; undefined if it is not valid. @throws PosthasteError `not-ready` if that cannot be told now */
export type JwtVerifier = (token: string) => Promise<JWTPayload | undefined>

export function jwtVerifier({ algorithms, audience, issuer, keys, log }: JwtOptions): JwtVerifier {
  const keyOf = jwtKeys(keys, log)
  const requiredClaims = ['exp', 'sub']
  const options = { issuer, audience, algorithms: [...algorithms], requiredClaims, clockTolerance: TOLERANCE_S }
  return async (token) => {
    try {
      return (await jwtVerify(token, keyOf, options)).payload
    } catch (error) {
      if (error instanceof PosthasteError) throw error
      if (!(error instanceof errors.JOSEError) || error.code === KEYS_UNFIT)
        throw new PosthasteError('not-ready', 'Tokens cannot be verified now.', { cause: error })
      log.debug({ code: error.code, reason: error.message }, 'a JWT is not valid')
      return undefined
    }
  }
}
