import { timingSafeEqual } from 'node:crypto'
import { hashToken, type TokenHolder } from '@posthaste/core'
import { type Caller, type CallersKey, type Credentials, namesOnly, requestLimit, type UsualLimits } from './caller.js'

interface Known {
  readonly hash: Buffer
  readonly caller: Caller
}

/** Callers by the hashes of their tokens, and by their access keys. */
export class Tokens implements Credentials {
  readonly #usual: UsualLimits
  /** By the start of the hash, which is no help to whoever looks for a token. */
  #known: ReadonlyMap<number, readonly Known[]> = new Map()
  #keys: ReadonlyMap<string, CallersKey> = new Map()

  constructor(holders: readonly TokenHolder[], usual: UsualLimits = {}) {
    this.#usual = usual
    this.replace(holders)
  }

  /** From now on there are these. */
  replace(holders: readonly TokenHolder[]): void {
    const known = new Map<number, Known[]>()
    const keys = new Map<string, CallersKey>()
    for (const holder of holders) {
      const caller = callerOf(holder, this.#usual)
      for (const hash of holder.hashes) {
        const start = startOf(hash)
        known.set(start, [...(known.get(start) ?? []), { hash, caller }])
      }
      for (const { id, secret } of holder.accessKeys ?? []) keys.set(id, { caller, secret })
    }
    this.#known = known
    this.#keys = keys
  }

  callerOf(token: string): Caller | undefined {
    const shown = hashToken(token)
    return this.#known.get(startOf(shown))?.find(({ hash }) => timingSafeEqual(hash, shown))?.caller
  }

  keyOf(id: string): CallersKey | undefined {
    return this.#keys.get(id)
  }
}

function startOf(hash: Buffer): number {
  return hash.readUInt32BE()
}

function callerOf(holder: TokenHolder, usual: UsualLimits): Caller {
  const { burst, functions, name, openMax, requestsPerSecond, scopes, targets, tenant } = holder
  return {
    ...usual,
    name,
    tenant,
    scopes: new Set(scopes),
    mayName: namesOnly(targets, functions),
    ...(requestsPerSecond !== undefined && { limit: requestLimit(requestsPerSecond, burst) }),
    ...(openMax !== undefined && { openMax }),
  }
}
