import type { Model } from '../model.js'
import type { World } from '../world.js'
import { Step } from './step.js'

export class StopListener extends Step {
  constructor() {
    super('the listener stops')
  }

  check(): boolean {
    return true
  }

  async act(model: Model, world: World): Promise<void> {
    if (world.hasListener) await stopListener(model, world)
  }
}

export class StartListener extends Step {
  constructor() {
    super('a listener starts')
  }

  check(): boolean {
    return true
  }

  async act(_: Model, world: World): Promise<void> {
    if (!world.hasListener) await world.startListener()
  }
}

export class RestartAccepter extends Step {
  readonly #number: number

  constructor(number: number) {
    super(`accepter ${number} starts anew`)
    this.#number = number
  }

  check(): boolean {
    return true
  }

  async act(_: Model, world: World): Promise<void> {
    await world.restartAccepter(this.#number)
  }
}

export class RestartAll extends Step {
  constructor() {
    super('everything starts anew')
  }

  check(): boolean {
    return true
  }

  async act(model: Model, world: World): Promise<void> {
    const { hasListener } = world
    if (hasListener) await stopListener(model, world)
    await world.restartAll()
    if (hasListener) await world.startListener()
  }
}

async function stopListener(model: Model, world: World): Promise<void> {
  model.abandon(world)
  await world.stopListener()
  await world.target.untilAlone()
}
