import type { Circumstances } from '../answers.js'
import { type InvocationModel, momentOf } from '../invocation-model.js'
import { isWaiting, type Life } from '../life.js'
import type { Model } from '../model.js'
import { settle } from '../settle.js'
import type { World } from '../world.js'
import { Step } from './step.js'

/** Of which invocation something is asked, and of which accepter. */
export interface Choice {
  readonly number: number
  readonly door: number
  /** At once after the last step, whatever that has begun, or in the moment in which a call is due. */
  readonly when: 'at once' | 'as it comes due'
}

/** What is asked of one invocation. */
export abstract class OfOne extends Step {
  readonly #choice: Choice

  constructor(choice: Choice, description: string) {
    super(`${description} ${choice.number} ${choice.when}`)
    this.#choice = choice
  }

  check(model: Readonly<Model>): boolean {
    return model.invocations.length > 0
  }

  async act(model: Model, world: World): Promise<void> {
    const { door, number, when } = this.#choice
    const invocation = model.pick(number)
    if (when === 'as it comes due') await passToDue(model, world, invocation)
    await this.ask(model, world, invocation, door)
  }

  abstract ask(model: Model, world: World, invocation: InvocationModel, door: number): Promise<void>
}

/** Moves the clock to the time at which it is due, if it waits for one. */
async function passToDue(model: Model, world: World, invocation: InvocationModel): Promise<void> {
  await settle(model, world)
  const life = invocation.lives[0] as Life
  const aheadMs = life.dueMs - world.clock.now()
  if (isWaiting(life) && aheadMs > 0) world.pass(aheadMs)
}

/** What nobody is there to do is not waited for. */
export function waitQuery({ hasListener }: World): string {
  return hasListener ? '' : '?wait=20ms'
}

export function circumstances(world: World): Circumstances {
  return { ...momentOf(world), hasListener: world.hasListener, mayLackRecords: world.views > 1 }
}
