import { createAccessKey, createToken, hashToken, type TokenEntry } from '@posthaste/core'
import type { FuzzCaller } from './fuzz-checks.js'

type Holder = Omit<TokenEntry, 'name' | 'sha256'>

const USER: Holder['scopes'] = ['invoke', 'read', 'control']
const HOLDERS: readonly Holder[] = [
  // The first may do everything.
  { scopes: [...USER, 'operate'] },
  { scopes: USER, tenant: 'acme' },
  { scopes: USER, tenant: 'acme', openMax: 500 },
  { scopes: USER, tenant: 'globex' },
  { scopes: ['read'], tenant: 'globex' },
  { scopes: ['invoke'], tenant: 'globex', targets: ['https://api.example.com'] },
  { scopes: USER, tenant: 'globex', functions: ['refusing'] },
  // He has used that up soon, however slow it all is.
  { scopes: USER, requestsPerSecond: 0.1, burst: 20 },
]

/** Callers of every kind, with the document that makes them known. */
export function createCallers(): { readonly callers: readonly FuzzCaller[]; readonly tokens: string } {
  const known = HOLDERS.map((holder, index) => ({
    ...{ holder, name: `caller-${index}` },
    ...{ token: createToken(), key: createAccessKey() },
  }))
  const tokens = known.map(({ holder, key, name, token }) => ({
    ...holder,
    ...{ name, accessKeys: [key], sha256: hashToken(token).toString('hex') },
  }))
  const callers = known.map(({ holder: { functions, scopes, targets, tenant = '' }, key, token }) => ({
    ...{ tenant, scopes, token, key, isKnown: true },
    // Who is told of targets alone may have no function called.
    ...((functions || targets) && { functions: functions ?? [] }),
  }))
  const unknown = { tenant: 'nobody', scopes: USER, token: createToken(), key: createAccessKey(), isKnown: false }
  return { callers: [...callers, unknown], tokens: JSON.stringify({ tokens }) }
}
