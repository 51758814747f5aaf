import type { Behaviour } from './behaviour.js'
import type { Heard } from './model-target.js'
import { nextMsAfter, type Plan } from './plan.js'

/**
 * What holds for the calls of one invocation, whatever else happens, checked by what the target hears: none early, none
 * without a cause, none beyond the policy, none twice, none after it was cancelled. Times by the clock of the test.
 */
export class CallRules {
  readonly #plan: Plan
  /** By turn: before it nothing may be called. A turn without one has no cause. */
  readonly #earliestMs = new Map<string, number>()
  readonly #moved = new Set<string>()
  /** By turn: how often it may be called. */
  readonly #allowed = new Map<string, number>()
  readonly #count = new Map<string, number>()
  /** This generation was, and those before it have ended. */
  #cancelled = 0
  /** Calls that may have been on their way when it was cancelled: then they were given up. */
  readonly #last: Heard[] = []

  constructor(plan: Plan, notBeforeMs: number) {
    this.#plan = plan
    this.#earliestMs.set(turnName(1, 1), notBeforeMs)
  }

  /** How often the target was called in all. */
  get count(): number {
    return [...this.#count.values()].reduce((sum, count) => sum + count, 0)
  }

  wasCalled(generation: number, attempt: number): boolean {
    return this.#count.has(turnName(generation, attempt))
  }

  /** The turn may be called from `ms` on, and as before. */
  allowFrom(generation: number, attempt: number, ms: number): void {
    const turn = turnName(generation, attempt)
    this.#earliestMs.set(turn, Math.min(ms, this.#earliestMs.get(turn) ?? Number.POSITIVE_INFINITY))
  }

  /** The turn may be called from `ms` on, and not before: it was moved. */
  allowOnlyFrom(generation: number, attempt: number, ms: number): void {
    const turn = turnName(generation, attempt)
    this.#earliestMs.set(turn, ms)
    this.#moved.add(turn)
  }

  /** Its listener is gone: if it was being called, it is called again. */
  allowAgain(generation: number, attempt: number): void {
    const turn = turnName(generation, attempt)
    this.#allowed.set(turn, (this.#allowed.get(turn) ?? 1) + 1)
  }

  isForbidden(generation: number): boolean {
    return generation <= this.#cancelled
  }

  /** From now on nothing is called of that generation; `last` came while that was confirmed. */
  forbid(generation: number, last: readonly Heard[]): void {
    this.#cancelled = generation
    this.#last.push(...last)
  }

  /** Returns what is wrong with a call; undefined if nothing is. */
  hear({ arrival, atMs, behaviour }: Heard): string | undefined {
    const { attempt, generation } = arrival
    const turn = turnName(generation, attempt)
    const count = (this.#count.get(turn) ?? 0) + 1
    this.#count.set(turn, count)
    const earliestMs = this.#earliestMs.get(turn)
    this.#expectRetry(generation, attempt, behaviour, atMs)
    if (this.isForbidden(generation)) return `${turn} is called after it was cancelled`
    if (attempt > this.#plan.maxAttempts) return `${turn} is one attempt more than it has`
    if (earliestMs === undefined) return `${turn} has no cause`
    if (atMs < earliestMs) return `${turn} is called ${earliestMs - atMs} ms early`
    return count > (this.#allowed.get(turn) ?? 1) ? `${turn} is called for the ${count}. time` : undefined
  }

  /** At the end: what was answered although it was cancelled. */
  get answeredAfterCancel(): readonly string[] {
    const answered = this.#last.filter(({ arrival }) => arrival.answered || arrival.endedAtMs === undefined)
    return answered.map(
      ({ arrival }) => `${turnName(arrival.generation, arrival.attempt)} went on after it was cancelled`,
    )
  }

  #expectRetry(generation: number, attempt: number, behaviour: Behaviour, atMs: number): void {
    const dueMs = nextMsAfter(behaviour, this.#plan, attempt, atMs)
    if (dueMs === undefined || this.#moved.has(turnName(generation, attempt + 1))) return
    this.allowFrom(generation, attempt + 1, dueMs)
  }
}

function turnName(generation: number, attempt: number): string {
  return `${generation}.${attempt}`
}
