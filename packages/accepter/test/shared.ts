import type { Scope } from '@posthaste/core'
import type { Test } from 'tap'
import type { AccepterOptions } from '../src/index.js'
import { type Answered, type Asking, ask, type OperationName } from './api-client.js'
import { bearer, credentialsOf, holderOf } from './callers.js'
import { type Installed, startOne } from './installation.js'
import { TARGET } from './setting.js'

export const SCOPES: readonly Scope[] = ['invoke', 'read', 'control']
export const LATER = { target: TARGET, delay: '1h', correlationId: 'order-42' }
export const HOURLY = { every: '1h', instruction: { target: TARGET } }

export type Ask = (name: OperationName, asking?: Asking) => Promise<Answered>

export interface Shared extends Installed {
  readonly acme: Ask
  readonly globex: Ask
  /** Without a tenant. */
  readonly operator: Ask
}

/** An accepter that several tenants share. */
export async function openShared(t: Test, openMax?: number, options: Partial<AccepterOptions> = {}): Promise<Shared> {
  const limit = openMax === undefined ? {} : { openMax }
  const [acme, globex, operator] = ['acme', 'globex', ''].map((tenant) =>
    holderOf({ scopes: SCOPES, name: `of ${tenant}`, tenant, ...(tenant === 'acme' && limit) }),
  ) as [ReturnType<typeof holderOf>, ReturnType<typeof holderOf>, ReturnType<typeof holderOf>]
  const credentials = credentialsOf([acme.holder, globex.holder, operator.holder])
  const one = await startOne(t, { credentials, ...options })
  const asker = ({ token }: { token: string }): Ask => {
    return (name, { headers, ...asking } = {}) =>
      ask(one.url, name, { ...asking, headers: { ...bearer(token), ...headers } })
  }
  return { ...one, acme: asker(acme), globex: asker(globex), operator: asker(operator) }
}
