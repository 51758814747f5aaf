import type fc from 'fast-check'
import type { Model } from '../model.js'
import type { World } from '../world.js'

/** A command that counts itself and has the calls looked at that came of it. */
export abstract class Step implements fc.AsyncCommand<Model, World> {
  readonly #description: string

  constructor(description: string) {
    this.#description = description
  }

  abstract check(model: Readonly<Model>): boolean

  abstract act(model: Model, world: World): Promise<void>

  async run(model: Model, world: World): Promise<void> {
    model.count(this.constructor.name)
    try {
      await this.act(model, world)
      model.hear(world)
    } catch (error) {
      throw new Error(`${this}: ${(error as Error).message}`, { cause: error })
    }
  }

  toString(): string {
    return this.#description
  }
}
