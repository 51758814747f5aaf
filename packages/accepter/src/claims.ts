import { randomUUID } from 'node:crypto'
import { type Call, type Claim, claimKey, encodeClaim, type KnownClaim, PosthasteError } from '@posthaste/core'
import type { ViewDoor } from './accepter-options.js'
import { type Intake, readCall, recordOf } from './intake.js'

/** How long whoever made a claim has to bring its call to the stream, until another does it. */
const OWNER_MS = 2_000
/** How often a request waits for another who was to append a call and did not. */
const WAITS_MAX = 3

/** A claim to make under a key, unless there is one. */
export interface Stake {
  readonly key: string
  /** Its id tells whose claim it is: no two stakes have the same. */
  readonly claim: Claim
}

/** The call that counts for a key; it is on the stream. */
export interface Settled {
  readonly call: Call
  /** Whether it is the one that was staked, and no earlier one. */
  readonly isOwn: boolean
}

/**
 * Makes one call of all that are asked for under one key: whichever accepter is asked, at the same moment or later.
 *
 * Who is first is settled by the order of the log of claims, as the view of each accepter shows it. Whoever made the
 * first claim appends the call. If he does not, because he died or the append failed, the next one who comes with the key
 * does, from the record in the claim: but only once the view is known to be complete and does not have the call.
 */
export class Claims {
  readonly #view: ViewDoor
  readonly #intake: Intake
  /** Under way, by key and payload: those who come meanwhile share it. */
  readonly #running = new Map<string, Promise<Settled | undefined>>()

  constructor(view: ViewDoor, intake: Intake) {
    this.#view = view
    this.#intake = intake
  }

  /** Whether there is a claim under a key, as far as the view knows. */
  isMade(key: string): boolean {
    return this.#view.claim(key) !== undefined
  }

  /** As `settleAll`; those with the same key at the same time cost as much as one. */
  async settle(stake: Stake): Promise<Settled | undefined> {
    const name = `${stake.key} ${stake.claim.payload}`
    const running = this.#running.get(name)
    if (running) {
      const settled = await running
      return settled && { ...settled, isOwn: false }
    }
    const settling = this.settleAll([stake]).then(([settled]) => settled)
    this.#running.set(name, settling)
    return settling.finally(() => this.#running.delete(name))
  }

  /**
   * Resolves once the calls of all these keys are on the stream, with undefined for a key that stands for another payload.
   * @throws PosthasteError `view-behind`, or what an append throws: then some may be there, and it may be asked again
   */
  async settleAll(stakes: readonly Stake[]): Promise<(Settled | undefined)[]> {
    const fresh = stakes.filter(({ key }) => !this.#view.claim(key))
    const records = fresh.map(({ claim, key }) => ({ key, value: encodeClaim(claim) }))
    await this.#intake.append('claims', records)
    const all = await Promise.all(stakes.map((stake) => this.#firstOf(stake)))
    const counting = all.filter((first) => first !== undefined)
    const own = counting.filter(({ isOwn }) => isOwn)
    const others = counting.filter(({ isOwn }) => !isOwn)
    await Promise.all([this.#append(own), ...others.map((other) => this.#ensure(other))])
    return all
  }

  /** The claim that counts for the key of a stake; undefined if that is for another payload. */
  async #firstOf({ claim, key }: Stake): Promise<(Settled & Pick<KnownClaim, 'isForgotten'>) | undefined> {
    const first = await this.#view.until(() => this.#view.claim(key), this.#intake.timeoutMs)
    if (!first) throw this.#behind()
    if (first.payload !== claim.payload) return undefined
    return { call: readCall(first.record), isOwn: first.id === claim.id, isForgotten: first.isForgotten }
  }

  /** Sees to it that the call of another's claim is on the stream. Several may: who of them appends it is a claim as well. */
  async #ensure({ call, isForgotten }: Settled & Pick<KnownClaim, 'isForgotten'>): Promise<void> {
    if (isForgotten) return
    for (let wait = 1; wait <= WAITS_MAX; wait += 1) {
      // Found before the wait: whoever was first in a round before this one has had his time behind it.
      const key = this.#nextRoundOf(call)
      if (await this.#comes(call)) return
      if (await this.#isFirst(key)) return this.#append([{ call }])
    }
    throw this.#behind()
  }

  /** The key of the claim by which it is settled who appends a call next: the first one that nobody has made. */
  #nextRoundOf({ generation, id }: Call): string {
    for (let round = 1; ; round += 1) {
      // No client's key has a line break.
      const key = claimKey(['mend', id, generation, round].join('\n'))
      if (!this.#view.claim(key)) return key
    }
  }

  /** Whether the view shows a call within the time that whoever is to append it has. */
  async #comes(call: Call): Promise<boolean> {
    const lateMs = performance.now() + OWNER_MS
    const isThere = await this.#view.until(() => {
      if ((this.#view.get(call.id)?.generation ?? 0) >= call.generation || this.#view.schedule(call.id)) return true
      return this.#view.asOfMs() >= lateMs ? false : undefined
    }, this.#intake.timeoutMs)
    if (isThere === undefined) throw this.#behind()
    return isThere
  }

  async #isFirst(key: string): Promise<boolean> {
    const claim: Claim = { id: randomUUID(), payload: '', record: new Uint8Array(0) }
    if (!this.#view.claim(key)) await this.#intake.append('claims', [{ key, value: encodeClaim(claim) }])
    const first = await this.#view.until(() => this.#view.claim(key), this.#intake.timeoutMs)
    if (!first) throw this.#behind()
    return first.id === claim.id
  }

  #append(settled: readonly Pick<Settled, 'call'>[]): Promise<void> {
    const records = settled.map(({ call }) => recordOf(call))
    return this.#intake.append('calls', records)
  }

  #behind(): PosthasteError {
    const detail = `The view did not follow within ${this.#intake.timeoutMs} ms; what was sent may have been stored.`
    return new PosthasteError('view-behind', detail)
  }
}
