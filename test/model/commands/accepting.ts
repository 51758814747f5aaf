import type { Answered } from '../../harness/client.js'
import type { Accepted, InvocationModel } from '../invocation-model.js'
import type { Keyed, Model } from '../model.js'
import { describePlan, instructionOf, type Plan } from '../plan.js'
import type { World } from '../world.js'
import { Step } from './step.js'

/** What no instruction can be. */
const BROKEN = { target: 'nowhere' }

/** Has an instruction accepted, with an Idempotency-Key or without. */
export class Accept extends Step {
  constructor(
    private readonly plan: Plan,
    private readonly door: number,
    private readonly key: string | undefined,
  ) {
    super(`accept ${describePlan(plan)}${key === undefined ? '' : ` as ${key}`}`)
  }

  check(model: Readonly<Model>): boolean {
    return this.key === undefined || !model.keys.has(this.key)
  }

  async act(model: Model, world: World): Promise<void> {
    const { key, plan } = this
    const target = await world.target.urlFor(plan)
    const instruction = instructionOf(plan, target, world.target.url)
    const fromMs = world.clock.now()
    const answer = await world.door(this.door).accept(instruction, key)
    if (answer.status !== 202) throw new Error(`It is not accepted: ${answer.text}`)
    const invocation = model.accept({ id: idOf(answer.json), ...acceptedOf(world, plan, target, fromMs) })
    if (key !== undefined) model.keys.set(key, { instruction, plan, invocation })
  }
}

/** Sends what was sent with a key once more, or something else with that key. */
export class AcceptAgain extends Step {
  constructor(
    private readonly number: number,
    private readonly door: number,
    private readonly isSame: boolean,
  ) {
    super(`accept ${isSame ? 'the same' : 'something else'} with key ${number}`)
  }

  check(model: Readonly<Model>): boolean {
    return model.keys.size > 0
  }

  async act(model: Model, world: World): Promise<void> {
    const [key, keyed] = [...model.keys][this.number % model.keys.size] as [string, Keyed]
    const other = { ...keyed.instruction, correlationId: 'something-else' }
    const answer = await world.door(this.door).accept(this.isSame ? keyed.instruction : other, key)
    if (this.isSame) checkRepeat(answer, keyed.invocation)
    else if (answer.status !== 422) throw new Error(`A key that was used answers ${answer.status}: ${answer.text}`)
  }
}

function checkRepeat({ headers, json, status, text }: Answered, invocation: InvocationModel): void {
  if (status !== 202 || idOf(json) !== invocation.id)
    throw new Error(`A repeat of ${invocation} answers ${status}: ${text}`)
  if (headers['idempotency-replayed'] !== 'true') throw new Error('A repeat does not say that it is one.')
}

/** Has several accepted at once, one of them perhaps broken. */
export class Batch extends Step {
  constructor(
    private readonly plans: readonly Plan[],
    private readonly door: number,
    private readonly brokenAt: number | undefined,
  ) {
    super(`accept a batch: ${plans.map(describePlan).join(', ')}${brokenAt === undefined ? '' : ' and a broken one'}`)
  }

  check(): boolean {
    return true
  }

  async act(model: Model, world: World): Promise<void> {
    const targets = await Promise.all(this.plans.map((plan) => world.target.urlFor(plan)))
    const items: unknown[] = this.plans.map((plan, index) =>
      instructionOf(plan, targets[index] as string, world.target.url),
    )
    const brokenAt = this.brokenAt === undefined ? -1 : this.brokenAt % (items.length + 1)
    if (brokenAt >= 0) items.splice(brokenAt, 0, BROKEN)
    const fromMs = world.clock.now()
    const { json, status, text } = await world.door(this.door).batch(items)
    if (status !== 200) throw new Error(`A batch answers ${status}: ${text}`)
    const { results } = json as { results: readonly { status: number; id: string }[] }
    const expected = items.map((_, index) => (index === brokenAt ? 400 : 202))
    if (`${results.map((one) => one.status)}` !== `${expected}`) throw new Error(`A batch answers ${text}`)
    results
      .filter((one) => one.status === 202)
      .forEach(({ id }, index) => {
        const plan = this.plans[index] as Plan
        model.accept({ id, ...acceptedOf(world, plan, targets[index] as string, fromMs) })
      })
  }
}

function acceptedOf({ clock, target }: World, plan: Plan, url: string, fromMs: number): Omit<Accepted, 'id'> {
  return { plan, target: url, fromMs, toMs: clock.now(), health: target.health(url) }
}

function idOf(json: unknown): string {
  return (json as { id: string }).id
}
