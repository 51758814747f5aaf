import { type Call, claimKey, PosthasteError, payloadHash } from '@posthaste/core'
import type { NewRecord } from '@posthaste/stream'
import type { Caller } from './caller.js'
import type { Claims, Stake } from './claims.js'
import type { Intake } from './intake.js'
import type { OpenLimit } from './open-limit.js'

/** What came with a call. */
export interface Sent {
  readonly caller: Caller
  /** The Idempotency-Key. */
  readonly key: string | undefined
  /** What a request with the same key must say. */
  readonly payload: unknown
}

/** Takes calls, one by one: no more than their callers may have open, and one for each Idempotency-Key of a tenant. */
export class Acceptance {
  readonly #intake: Intake
  readonly #claims: Claims | undefined
  readonly #openLimit: OpenLimit

  constructor(intake: Intake, claims: Claims | undefined, openLimit: OpenLimit) {
    this.#intake = intake
    this.#claims = claims
    this.#openLimit = openLimit
  }

  /**
   * Resolves once a call is on the stream: this one, or the one that was taken before with its key.
   * @throws PosthasteError `too-many-open`, `key-reused`, or as `Claims` and `Intake`
   */
  async accept(call: Call, record: NewRecord, { caller, key, payload }: Sent): Promise<Call> {
    if (key === undefined) {
      await this.#openLimit.opening(caller, 1, () => this.#intake.append('calls', [record]))
      return call
    }
    const claims = this.#claims
    if (!claims) throw new PosthasteError('view-behind', 'This process has no view, where keys could be looked up.')
    const claim = { id: call.id, payload: payloadHash(payload), record: record.value }
    const stake = { key: claimKey(key, caller.tenant), claim }
    // What was taken before opens nothing.
    if (claims.isMade(stake.key)) return settled(claims, stake)
    return this.#openLimit.opening(caller, 1, () => settled(claims, stake))
  }
}

async function settled(claims: Claims, stake: Stake): Promise<Call> {
  const found = await claims.settle(stake)
  if (found) return found.call
  throw new PosthasteError('key-reused', 'This Idempotency-Key was sent before, with another instruction.')
}
