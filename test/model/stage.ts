import type { InvocationState } from '@posthaste/core'
import type { Test } from 'tap'
import type { Shown } from '../harness/control.js'
import { untilShown } from '../harness/until-shown.js'
import type { EmbeddedWorld } from './embedded-world.js'
import { instructionOf, type Plan } from './plan.js'

/** What makes an invocation go a step. */
export type Act = (id: string) => Promise<unknown>

/** A call is shown as running when it has run for ten seconds. */
const RUNNING_MS_MAX = 30_000

/** Where invocations go from state to state, one step after another. */
export class Stage {
  readonly world: EmbeddedWorld
  readonly #t: Test
  #correlations = 0

  constructor(t: Test, world: EmbeddedWorld) {
    this.#t = t
    this.world = world
  }

  get lastCorrelationId(): string {
    return `of-step-${this.#correlations}`
  }

  async accept(plan: Plan): Promise<string> {
    const instruction = instructionOf(plan, await this.world.target.urlFor(plan), this.world.target.url)
    const { json, status, text } = await this.world
      .door(0)
      .accept({ ...instruction, correlationId: this.lastCorrelationId })
    if (status !== 202) throw new Error(`It is not accepted: ${text}`)
    return (json as Shown).id
  }

  async reach(state: InvocationState, plan: Plan): Promise<string> {
    const id = await this.accept(plan)
    await untilShown(this.world.door(0), id, (shown) => shown.state === state, RUNNING_MS_MAX)
    return id
  }

  /** Two of a kind; that which was accepted first. */
  async elder(from: () => Promise<string>): Promise<string> {
    this.#correlations += 1
    const id = await from()
    this.world.pass(1)
    await from()
    return id
  }

  /** Has an invocation go a step, and sees that this is the one. */
  async see(name: string, id: string, act: Act): Promise<void> {
    const [from, to] = name.split(' ') as [string, InvocationState]
    const control = this.world.door(0)
    const before = (await control.get(id)).json as Shown
    if (from !== 'accepted') this.#t.equal(before.state, from, `it is ${from}`)
    // What is told of it from now on is told of a later time.
    this.world.pass(1)
    await act(id)
    const after = await untilShown(
      control,
      id,
      (shown) => from === 'accepted' || differs(shown, before),
      RUNNING_MS_MAX,
    )
    this.#t.equal(after.state, to, `it goes from ${from} to ${to}`)
  }
}

function differs(one: Shown, other: Shown): boolean {
  return one.state !== other.state || one.nextAttemptAt !== other.nextAttemptAt
}
