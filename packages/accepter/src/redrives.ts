import {
  type Call,
  claimKey,
  createId,
  decodeCall,
  type Invocation,
  PosthasteError,
  payloadHash,
} from '@posthaste/core'
import type { ViewDoor } from './accepter-options.js'
import type { Caller } from './caller.js'
import type { Claims, Stake } from './claims.js'
import type { Intake } from './intake.js'
import { checkNames } from './named-urls.js'

/** What a record may be larger by than the one that was accepted: it says its generation, and its times. */
const GENERATION_BYTES = 128

/** Who wants dead letters sent again, and when. */
interface Asked {
  readonly caller: Caller
  readonly nowMs: number
}

/** Sends dead letters again. One that is sent by several at a time, or again after a failure, is sent once. */
export class Redrives {
  readonly #view: ViewDoor
  readonly #claims: Claims
  readonly #intake: Intake

  constructor(view: ViewDoor, claims: Claims, intake: Intake) {
    this.#view = view
    this.#claims = claims
    this.#intake = intake
  }

  /** @throws PosthasteError `not-redrivable`, `forbidden`, `target-refused`, `too-large`, or as `Claims` */
  async redrive({ id }: Invocation, asked: Asked): Promise<Call> {
    const settled = await this.#claims.settle(this.#stakeOf(id, asked))
    return (settled as NonNullable<typeof settled>).call
  }

  /**
   * Redrives those that can be, each at the time that `dueMs` says for the next one; returns how many.
   * @throws PosthasteError as `Claims`
   */
  async redriveAll(invocations: readonly Invocation[], asked: Asked, dueMs: (index: number) => number | undefined) {
    const stakes: Stake[] = []
    for (const { id } of invocations) {
      const stake = this.#tryStakeOf(id, asked, dueMs(stakes.length))
      if (stake) stakes.push(stake)
    }
    const settled = await this.#claims.settleAll(stakes)
    return settled.filter((each) => each?.isOwn).length
  }

  #tryStakeOf(id: string, asked: Asked, dueMs: number | undefined): Stake | undefined {
    try {
      return this.#stakeOf(id, asked, dueMs)
    } catch (error) {
      if (error instanceof PosthasteError) return undefined
      throw error
    }
  }

  #stakeOf(id: string, { caller, nowMs }: Asked, dueMs?: number): Stake {
    const call = this.#nextCallOf(id, nowMs, dueMs)
    // Somebody else of the tenant may have asked for it.
    checkNames(call, caller)
    const { value: record } = this.#intake.fittingRecordOf(call, GENERATION_BYTES)
    const name = ['redrive', id, call.generation]
    // No client's key has a line break. Every stake is one of its own: the record says which invocation it is.
    return {
      key: claimKey(name.join('\n')),
      claim: { id: createId(nowMs), payload: payloadHash(name), record },
    }
  }

  /**
   * The first call of the next generation. Its age counts from now. It has no deadline: that of the last one has passed, or
   * nearly so.
   */
  #nextCallOf(id: string, nowMs: number, dueMs: number | undefined): Call {
    const letter = this.#view.deadLetter(id)
    if (!letter) throw new PosthasteError('not-redrivable', 'It is no dead letter, or its record was not kept.')
    try {
      const origin = { log: 'calls', partition: 0, offset: 0, appendedAtMs: letter.acceptedAtMs }
      const {
        answered: _,
        expiresAtMs: __,
        move: ___,
        notBeforeMs: ____,
        ...call
      } = decodeCall(letter.record, origin).call
      return {
        ...call,
        sinceMs: nowMs,
        id,
        generation: letter.generation + 1,
        attempt: 1,
        ...(dueMs !== undefined && { notBeforeMs: dueMs }),
      }
    } catch {
      throw new PosthasteError('not-redrivable', 'Its record cannot be read.')
    }
  }
}
