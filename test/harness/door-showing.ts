import type { AccessKey } from '@posthaste/core'
import type { DoorRequest, Flaw, Shown, Signing } from './door-requests.js'
import type { FuzzCaller } from './fuzz-checks.js'
import type { Asked } from './fuzz-wire.js'
import { signedByAlibaba, signedByAws, signedForVersion2 } from './signing.js'

const HOUR_MS = 3_600_000
const SIGN = { aws: signedByAws, acs: signedByAlibaba, fc: signedForVersion2 } as const

export function isSigning(shown: Shown): shown is Signing {
  return shown in SIGN
}

/** A request with what says who asks, be it right or wrong. Nothing where nobody has to say so. */
export function showing(asked: Asked, url: string, { key, token }: FuzzCaller, { flaw, shown }: DoorRequest): Asked {
  if (token === undefined || key === undefined) return asked
  const { headers, path } = asked
  if (isSigning(shown)) return { ...asked, headers: signed(asked, url, key, shown, flaw) }
  if (shown === 'query') return { ...asked, path: `${path}${path.includes('?') ? '&' : '?'}token=${token}` }
  const basic = Buffer.from(`any:${token}`).toString('base64')
  const values = { bearer: `Bearer ${token}`, basic: `Basic ${basic}`, noise: `Basic ${token}`, nothing: undefined }
  const authorization = values[shown]
  return authorization === undefined ? asked : { ...asked, headers: { ...headers, authorization } }
}

function signed(asked: Asked, url: string, key: AccessKey, signing: Signing, flaw: Flaw | undefined) {
  const { body, headers, method, path } = asked
  const bodySigned = `${body ?? ''}${flaw === 'body' ? 'x' : ''}`
  const pathSigned = flaw === 'path' ? path.replace('/', '/x') : path
  const by = {
    id: flaw === 'key' ? `${key.id}X` : key.id,
    secret: flaw === 'secret' ? key.secret.toUpperCase() : key.secret,
    atMs: Date.now() - (flaw === 'time' ? HOUR_MS : 0),
  }
  const what = { url: url + pathSigned, method: flaw === 'method' ? 'PURGE' : method, headers, body: bodySigned }
  const { authorization = '', ...others } = SIGN[signing](what, by) as Record<string, string>
  return { ...others, authorization: flaw === 'end' ? authorization.slice(0, -1) : authorization }
}
