import type { JwtOptions, UsualLimits } from '@posthaste/accepter'
import { isLoopbackHost, type Log, PosthasteError } from '@posthaste/core'
import { readJsonFile } from './config/json-file.js'
import { type Config, environmentName } from './config/table.js'

const TOGETHER = ['jwtIssuer', 'jwtAudience', 'jwtJwks'] as const

/** What the configuration says of JWTs; undefined if nothing. @throws PosthasteError `invalid-configuration` */
export function jwtOptionsOf(config: Config, log: Log, limits: UsualLimits): JwtOptions | undefined {
  const missing = TOGETHER.filter((key) => config[key] === '')
  if (missing.length === TOGETHER.length) return undefined
  if (missing.length > 0)
    throw unfit(`${missing.map(environmentName).join(' and ')}: needed, because other settings of JWTs are given.`)
  return {
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    keys: keysOf(config.jwtJwks),
    algorithms: config.jwtAlgorithms,
    ...(config.jwtTenantClaim !== 'none' && { tenantClaim: config.jwtTenantClaim }),
    limits,
    log,
  }
}

function keysOf(source: string): JwtOptions['keys'] {
  if (!/^https?:\/\//i.test(source)) return readKeys(source)
  const url = URL.canParse(source) ? new URL(source) : undefined
  // Who could answer in place of the issuer could be anybody.
  const isSafe = url?.protocol === 'https:' || (url && isLoopbackHost(url.hostname.replace(/^\[|\]$/g, '')))
  // Settings are logged, and nobody would be asked by such a URL.
  if (url && isSafe && url.username === '' && url.password === '') return url
  throw unfit('POSTHASTE_JWT_JWKS: a URL must be an https one, without user and password.')
}

function readKeys(path: string): JwtOptions['keys'] {
  const read = readJsonFile(path)
  if ('fault' in read) throw unfit(`POSTHASTE_JWT_JWKS: ${path} ${read.fault}.`)
  const { keys } = Object(read.value) as { keys?: unknown }
  const isKey = (key: unknown): boolean => typeof key === 'object' && key !== null && !Array.isArray(key)
  const isKeys = Array.isArray(keys) && keys.length > 0 && keys.every(isKey)
  if (!isKeys) throw unfit(`POSTHASTE_JWT_JWKS: ${path} has no list of keys.`)
  return read.value as JwtOptions['keys']
}

function unfit(detail: string): PosthasteError {
  return new PosthasteError('invalid-configuration', detail)
}
