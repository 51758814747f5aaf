import { type Claim, decodeClaim, type KnownClaim } from '@posthaste/core'
import { idKey } from './keys.js'
import type { ViewTables } from './view-tables.js'

/** On disk: when the stream took it, whether its invocation was forgotten, then the claim as it came. */
const FORGOTTEN_AT = 8
const HEADER_BYTES = 9

/** What is put under a key. */
interface Taken extends Pick<Claim, 'id'> {
  readonly takenAtMs: number
  readonly value: Uint8Array
}

/** The claims that a view knows. Used for writing inside `Environment.commit` only. */
export class Claims {
  readonly #tables: Pick<ViewTables, 'claimKeys' | 'claims'>

  constructor(tables: Pick<ViewTables, 'claimKeys' | 'claims'>) {
    this.#tables = tables
  }

  get(key: Buffer): KnownClaim | undefined {
    const stored = this.#tables.claims.get(key)
    if (!stored) return undefined
    return { ...decodeClaim(stored.subarray(HEADER_BYTES)), isForgotten: stored[FORGOTTEN_AT] === 1 }
  }

  takenAtMs(key: Buffer): number | undefined {
    return this.#tables.claims.get(key)?.readDoubleLE(0)
  }

  /** In the place of one that is too old, if there is one. */
  put(key: Buffer, { id, takenAtMs, value }: Taken): void {
    this.#unlink(key)
    const stored = Buffer.alloc(HEADER_BYTES + value.length)
    stored.writeDoubleLE(takenAtMs)
    stored.set(value, HEADER_BYTES)
    this.#tables.claims.putSync(key, stored)
    // The first one is that by which it was accepted; later ones are of redrives.
    const { claimKeys } = this.#tables
    if (!claimKeys.get(idKey(id))) claimKeys.putSync(idKey(id), key)
  }

  /** Removes what the stream took at this time or before; another may have followed it. Returns whether it did. */
  remove(key: Buffer, untilMs: number): boolean {
    const takenAtMs = this.takenAtMs(key)
    if (takenAtMs === undefined || takenAtMs > untilMs) return false
    this.#unlink(key)
    return this.#tables.claims.removeSync(key)
  }

  /** The invocation is removed while its claim still counts: that then says so, for nobody else can tell that it was made. */
  forgetInvocation(id: Buffer): void {
    const key = this.#tables.claimKeys.get(id)
    const stored = key && this.#tables.claims.get(key)
    if (!stored) return
    const marked = Buffer.from(stored)
    marked[FORGOTTEN_AT] = 1
    this.#tables.claims.putSync(key, marked)
  }

  /** What becomes of the invocation of the claim under a key is of no matter to that key any more. */
  #unlink(key: Buffer): void {
    const last = this.get(key)
    if (!last) return
    const id = idKey(last.id)
    if (this.#tables.claimKeys.get(id)?.equals(key)) this.#tables.claimKeys.removeSync(id)
  }
}
