import type { InstructionInput } from '@posthaste/core'
import type { Shown } from '../harness/control.js'
import { faultOf, idOf, originsOf, planOf } from './child.js'
import { type Accepted, InvocationModel } from './invocation-model.js'
import type { Life } from './life.js'
import type { Heard } from './model-target.js'
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
  /** Those that will be there once others end, if they end so. */
  readonly #expected = new Map<string, InvocationModel>()
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
    return this.#byId.has(id) && !this.#expected.has(id)
  }

  count(what: string, more = 1): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + more)
  }

  /** Checks the calls that came since the last time. Not while something is asked for that they may follow from. @throws Error */
  hear(world: World): void {
    this.#expect(world)
    const { heard } = world.target
    const calls = heard.slice(this.#heard)
    this.#heard += calls.length
    const wrong = calls.flatMap((call) => this.#faultOf(call, world) ?? [])
    if (wrong.length > 0) throw new Error(wrong.join('\n'))
  }

  /**
   * Those are invocations from now on of which it is sure that they are there: what gives rise to them has ended, or they
   * are shown. Returns whether there are any.
   */
  beginExpected(world: World, shown: ReadonlyMap<string, Shown>): boolean {
    this.#expect(world)
    const begun = [...this.#expected.values()].filter(({ hasBegun, id, lives }) => {
      return hasBegun || (lives.length > 0 && shown.has(id))
    })
    for (const invocation of begun) {
      invocation.begin(world)
      this.#expected.delete(invocation.id)
      this.invocations.push(invocation)
    }
    return begun.length > 0
  }

  /** The listener stops. */
  abandon(world: World): void {
    this.#expect(world)
    for (const invocation of this.#expected.values()) if (invocation.mayBegin(world)) invocation.abandon(world)
    for (const invocation of this.invocations) invocation.abandon(world)
  }

  /**
   * The generation that goes on is cancelled: nothing more of it may be called. Calls that were on their way are heard, and count only if
   * they are answered.
   */
  async forbidCalls(invocation: InvocationModel, world: World): Promise<void> {
    const { target } = world
    const confirmedAt = target.heard.length
    await target.heardAll(invocation.target)
    const last = target.heard.slice(confirmedAt).filter(({ id }) => id === invocation.id)
    this.hear(world)
    invocation.calls.forbid(Math.max(...invocation.lives.map(({ generation }) => generation)), last)
  }

  /** Whoever is to be told of an end has an id before. */
  #expect({ defaults, target }: World): void {
    for (const origin of this.invocations.flatMap(originsOf)) {
      const id = idOf(origin)
      if (this.#byId.has(id)) continue
      const [fromMs, toMs] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
      const { url } = target
      const plan = planOf(origin, defaults)
      const child = new InvocationModel({ id, plan, target: url, fromMs, toMs, health: target.health(url), origin })
      this.#expected.set(id, child)
      this.#byId.set(id, child)
    }
  }

  #faultOf(heard: Heard, world: World): string | undefined {
    const { arrival, id } = heard
    const invocation = this.#byId.get(id)
    if (!invocation) return `${id} (${arrival.path}) is called, and nobody was given that id`
    const { origin } = invocation
    const isEarly = this.#expected.has(id) && invocation.lives.length === 0 && !invocation.mayBegin(world)
    const notDue = isEarly ? `it tells of what has not ended so: ${origin?.parent}` : undefined
    const fault = notDue ?? (origin && faultOf(origin, heard)) ?? invocation.calls.hear(heard)
    return fault === undefined ? undefined : `${invocation}: ${fault}`
  }
}

/** Takes on what an answer says. @throws Error if it is wrong, whatever came first */
export function learn(invocation: InvocationModel, lives: readonly Life[], answer: string): void {
  if (lives.length === 0) throw new Error(`${answer}, but it is ${invocation}`)
  const unique = new Map(lives.map((life) => [JSON.stringify(life), life]))
  invocation.lives = [...unique.values()]
}
