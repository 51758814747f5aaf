import { ruleFor, type TargetRule, type TlsVersion } from '@posthaste/core'
import type { buildConnector } from 'undici'

/** How TLS is spoken with an origin: with a certificate of ours, and with whom we trust, where a rule says so. */
export function tlsOptions(
  rules: readonly TargetRule[],
  min: TlsVersion | undefined,
  origin: string,
): buildConnector.BuildOptions {
  const { ca, cert, key, minVersion = min } = ruleFor(rules, 'tls', origin) ?? {}
  return {
    // Whatever NODE_TLS_REJECT_UNAUTHORIZED says.
    rejectUnauthorized: true,
    ...(minVersion && { minVersion }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
}
