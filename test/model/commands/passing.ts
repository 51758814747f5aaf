import { isWaiting } from '../life.js'
import type { Model } from '../model.js'
import { settle } from '../settle.js'
import type { World } from '../world.js'
import { Step } from './step.js'

/** What is due is done, then time passes. */
export class Pass extends Step {
  readonly #ms: number

  constructor(ms: number) {
    super(`${ms} ms pass`)
    this.#ms = ms
  }

  check(): boolean {
    return true
  }

  async act(model: Model, world: World): Promise<void> {
    await settle(model, world)
    world.pass(this.#ms)
  }
}

/** Time passes until the next call is due, or almost. */
export class PassToNext extends Step {
  readonly #lessMs: number

  constructor(lessMs: number) {
    super(`time passes until ${lessMs} ms before the next call is due`)
    this.#lessMs = lessMs
  }

  check(): boolean {
    return true
  }

  async act(model: Model, world: World): Promise<void> {
    await settle(model, world)
    const aheadMs = msToNext(model, world) - this.#lessMs
    if (aheadMs > 0 && Number.isFinite(aheadMs)) world.pass(aheadMs)
  }
}

/** Infinite if nothing waits for its time. */
export function msToNext(model: Model, world: World): number {
  const waiting = model.invocations.flatMap(({ lives }) => lives.filter(isWaiting))
  const aheadMs = waiting.map(({ dueMs }) => dueMs - world.clock.now()).filter((ms) => ms > 0)
  return Math.min(...aheadMs)
}

/** Everything is seen to come to rest. */
export class Settle extends Step {
  constructor() {
    super('all comes to rest')
  }

  check(): boolean {
    return true
  }

  async act(model: Model, world: World): Promise<void> {
    await settle(model, world)
  }
}

/** The target answers what it holds. */
export class Release extends Step {
  readonly #number: number

  constructor(number: number) {
    super(`the target answers one that it holds, ${number}`)
    this.#number = number
  }

  check(model: Readonly<Model>): boolean {
    return model.invocations.some(({ plan }) => plan.script.flat().includes('held'))
  }

  async act(model: Model, world: World): Promise<void> {
    await settle(model, world)
    const held = model.invocations.filter(({ lives }) => lives.every(({ at }) => at === 'held'))
    const invocation = held[this.#number % held.length]
    if (invocation) release(world, invocation)
  }
}

function release({ target }: World, invocation: Model['invocations'][number]): void {
  for (const { generation } of invocation.lives) {
    target.release(invocation.id, generation)
    invocation.terms.released.add(generation)
  }
  invocation.lives = invocation.lives.map((life) => ({ ...life, at: 'released' }))
}

/** The target answers all that it holds. Returns how many these are. */
export function releaseAll(model: Model, world: World): number {
  const held = model.invocations.filter(({ lives }) => lives.some(({ at }) => at === 'held'))
  for (const invocation of held) release(world, invocation)
  return held.length
}
