import { createToken, hashToken, type TokenEntry } from '@posthaste/core'
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
  { scopes: USER, requestsPerSecond: 2 },
]

/** Callers of every kind, with the document that makes them known. */
export function createCallers(): { readonly callers: readonly FuzzCaller[]; readonly tokens: string } {
  const known = HOLDERS.map((holder, index) => ({ ...holder, name: `caller-${index}`, token: createToken() }))
  const entries = known.map(({ token, ...entry }) => ({ ...entry, sha256: hashToken(token).toString('hex') }))
  const callers = known.map(({ tenant = '', token }) => ({ tenant, token, isKnown: true }))
  const unknown = [{ tenant: 'nobody', token: createToken(), isKnown: false }]
  return { callers: [...callers, ...unknown], tokens: JSON.stringify({ tokens: entries }) }
}
