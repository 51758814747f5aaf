import type { InstructionInput } from '@posthaste/core'
import { type Accepted, InvocationModel } from './invocation-model.js'
import type { Life } from './life.js'
import type { Plan } from './plan.js'
import type { World } from './world.js'

export interface Keyed {
  readonly instruction: InstructionInput
  readonly plan: Plan
  readonly invocation: InvocationModel
}

/** What the test knows of all that was asked for. */
export class Model {
  readonly invocations: InvocationModel[] = []
  /** What each Idempotency-Key stands for. */
  readonly keys = new Map<string, Keyed>()
  /** What was done, for the report. */
  readonly tally = new Map<string, number>()
  readonly #byId = new Map<string, InvocationModel>()
  /** So many calls have been looked at. */
  #heard = 0

  accept(accepted: Accepted): InvocationModel {
    if (this.#byId.has(accepted.id)) throw new Error(`${accepted.id} was given out twice.`)
    const invocation = new InvocationModel(accepted)
    this.invocations.push(invocation)
    this.#byId.set(invocation.id, invocation)
    return invocation
  }

  /** One of them, for any number. */
  pick(number: number): InvocationModel {
    return this.invocations[number % this.invocations.length] as InvocationModel
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1)
  }

  /** Checks the calls that came since the last time. Not while something is asked for that they may follow from. @throws Error */
  hear({ target }: World): void {
    const calls = target.heard.slice(this.#heard)
    this.#heard += calls.length
    const wrong = calls.flatMap((heard) => {
      const { id, path } = heard.arrival
      const invocation = this.#byId.get(id)
      if (!invocation) return [`${id} (${path}) is called, and nobody was given that id`]
      const fault = invocation.calls.hear(heard)
      return fault === undefined ? [] : [`${invocation}: ${fault}`]
    })
    if (wrong.length > 0) throw new Error(wrong.join('\n'))
  }

  /**
   * The generation that goes on is cancelled: nothing more of it may be called. Calls that were on their way are heard, and count only if
   * they are answered.
   */
  async forbidCalls(invocation: InvocationModel, { target }: World): Promise<void> {
    const confirmedAt = target.heard.length
    await target.heardAll(invocation.target)
    const last = target.heard.slice(confirmedAt).filter(({ arrival }) => arrival.id === invocation.id)
    this.hear({ target } as World)
    invocation.calls.forbid(Math.max(...invocation.lives.map(({ generation }) => generation)), last)
  }
}

/** Takes on what an answer says. @throws Error if it is wrong, whatever came first */
export function learn(invocation: InvocationModel, lives: readonly Life[], answer: string): void {
  if (lives.length === 0) throw new Error(`${answer}, but it is ${invocation}`)
  const unique = new Map(lives.map((life) => [JSON.stringify(life), life]))
  invocation.lives = [...unique.values()]
}
