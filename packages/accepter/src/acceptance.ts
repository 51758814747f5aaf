import { type Call, type CallContent, claimKey, PosthasteError, payloadHash } from '@posthaste/core'
import type { NewRecord } from '@posthaste/stream'
import type { Caller } from './caller.js'
import type { Claims, Stake } from './claims.js'
import type { CallOrigin, Intake } from './intake.js'
import type { OpenLimit } from './open-limit.js'

/** What of several requests makes them one: they have an Idempotency-Key in common, and ask for the same. */
export interface Sameness {
  readonly key: string
  readonly payload: unknown
}

export interface Accepted {
  /** It is on the stream. */
  readonly call: Call
  /** Whether it is this request's, and no earlier one's with the same key. */
  readonly isNew: boolean
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
   * Makes a call of what is to be called, and takes that. `elapsedMs` tells how long the request is under way.
   * @throws PosthasteError if it may not be made, or as `take`
   */
  async accept(
    content: CallContent,
    origin: CallOrigin,
    elapsedMs: () => number,
    sameness?: Sameness,
  ): Promise<Accepted> {
    const call = this.#intake.newCall(content, origin)
    const accepted = await this.take(call, this.#intake.fittingRecordOf(call), origin.caller, sameness)
    if (accepted.isNew) this.#intake.accepted(elapsedMs(), 1)
    return accepted
  }

  /**
   * Resolves once a call is on the stream: this one, or the one that was taken before with its key.
   * @throws PosthasteError `too-many-open`, `key-reused`, or as `Claims` and `Intake`
   */
  async take(call: Call, record: NewRecord, caller: Caller, sameness?: Sameness): Promise<Accepted> {
    if (!sameness) {
      await this.#openLimit.opening(caller, 1, () => this.#intake.append('calls', [record]))
      return { call, isNew: true }
    }
    const taken = await this.#takeOnce(call, record, caller, sameness)
    return { call: taken, isNew: taken.id === call.id }
  }

  #takeOnce(call: Call, record: NewRecord, caller: Caller, { key, payload }: Sameness): Promise<Call> {
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
