import type { Model } from '../model.js'
import type { Plan } from '../plan.js'
import { settle } from '../settle.js'
import type { World } from '../world.js'
import { Batch } from './accepting.js'
import { Pass } from './passing.js'
import { Step } from './step.js'

/** The target that all share answers 503 from now on, or what it is asked to again. */
export class Turn extends Step {
  readonly #isDown: boolean

  constructor(isDown: boolean) {
    super(`the target ${isDown ? 'dies' : 'is back'}`)
    this.#isDown = isDown
  }

  check(): boolean {
    return true
  }

  async act(model: Model, world: World): Promise<void> {
    await turn(model, world, this.#isDown)
  }
}

/** What came before is answered as it would have been. */
export async function turn(model: Model, world: World, isDown: boolean): Promise<void> {
  await settle(model, world)
  const { target } = world
  target.health(target.url).isDown = isDown
}

/** The target dies, and so many calls fail for so long that it counts as dead. */
export class Outage extends Step {
  readonly #calls: number

  constructor(calls: number) {
    super(`the target dies, and ${calls} find out`)
    this.#calls = calls
  }

  check(): boolean {
    return true
  }

  async act(model: Model, world: World): Promise<void> {
    await turn(model, world, true)
    await new Batch(Array(this.#calls).fill(ANY), 0, undefined).act(model, world)
    for (const ms of [1_000, 2_000]) await new Pass(ms).act(model, world)
    await settle(model, world)
  }
}

const ANY: Plan = { script: [['200']], maxAttempts: 4, retryDelayMs: 1_000, delayMs: 0, maxAgeMs: 86_400_000 }
