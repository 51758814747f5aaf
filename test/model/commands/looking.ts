import { INVOCATION_STATES, type InvocationState, isFinalState } from '@posthaste/core'
import type { Shown } from '../../harness/control.js'
import { type InvocationModel, isFarOff, momentOf, stateOf } from '../invocation-model.js'
import { isOver, type Life } from '../life.js'
import type { Model } from '../model.js'
import { settle } from '../settle.js'
import type { World } from '../world.js'
import { Step } from './step.js'

export interface ListChoice {
  readonly door: number
  readonly limit: number
  readonly states: readonly InvocationState[]
  readonly correlationId: string | undefined
  readonly isOfSharedTarget: boolean
}

/** A filtered list, page by page, has what the model has, newest first. */
export class List extends Step {
  readonly #choice: ListChoice

  constructor(choice: ListChoice) {
    super(`list ${JSON.stringify(choice)}`)
    this.#choice = choice
  }

  check(model: Readonly<Model>): boolean {
    return model.invocations.length > 0
  }

  async act(model: Model, world: World): Promise<void> {
    const before = await settle(model, world)
    const { correlationId, door, isOfSharedTarget, limit, states } = this.#choice
    const query = {
      limit: String(limit),
      ...(states.length > 0 && { state: states.join(',') }),
      ...(correlationId && { correlationId }),
      ...(isOfSharedTarget && { target: world.target.url }),
    }
    const expected = model.invocations.filter((one) => this.#matches(one, world, before))
    checkList(await world.door(door).listAll(query), expected)
  }

  #matches(invocation: InvocationModel, world: World, shown: ReadonlyMap<string, Shown>): boolean {
    const { correlationId, isOfSharedTarget, states } = this.#choice
    const { plan, target } = invocation
    const isRight = states.length === 0 || states.includes((shown.get(invocation.id) as Shown).state)
    const isOfTarget = !isOfSharedTarget || target === world.target.url
    return isRight && isOfTarget && (correlationId === undefined || plan.correlationId === correlationId)
  }
}

function checkList(listed: readonly Shown[], expected: readonly InvocationModel[]): void {
  const ids = listed.map(({ id }) => id)
  if (`${[...ids].sort()}` !== `${expected.map(({ id }) => id).sort()}`) {
    throw new Error(`${ids.length} are listed: ${ids}, and not ${expected.length}: ${expected.map(({ id }) => id)}`)
  }
  const order = listed.map(({ createdAt, id }) => `${createdAt} ${id}`)
  if (`${order}` !== `${[...order].sort().reverse()}`) throw new Error(`The newest are not first: ${order.join(', ')}`)
}

/** The counts are those of the model. */
export class Count extends Step {
  readonly #door: number

  constructor(door: number) {
    super('look at the counts')
    this.#door = door
  }

  check(): boolean {
    return true
  }

  async act(model: Model, world: World): Promise<void> {
    await settle(model, world)
    const { json, status, text } = await world.door(this.#door).stats()
    if (status !== 200) throw new Error(`The counts answer ${status}: ${text}`)
    checkCounts(model, world, (json as { states: Record<InvocationState, number> }).states)
  }
}

/** What has ended, and what is far off, is counted under the one name that it can have; of the rest, how many they are. */
export function checkCounts(model: Model, world: World, counts: Readonly<Record<InvocationState, number>>): void {
  const total = INVOCATION_STATES.reduce((sum, state) => sum + counts[state], 0)
  if (total !== model.invocations.length) throw new Error(`${total} are counted, and not ${model.invocations.length}`)
  const names = model.invocations.map(({ lives }) => nameOf(lives[0] as Life, world))
  const unnamed = names.filter((name) => name === undefined).length
  for (const state of INVOCATION_STATES) {
    const known = names.filter((name) => name === state).length
    const others = isFinalState(state) ? 0 : unnamed
    if (counts[state] < known || counts[state] > known + others) {
      throw new Error(`${counts[state]} are counted as ${state}; there are ${known}, and ${others} that may be`)
    }
  }
}

function nameOf(life: Life, world: World): InvocationState | undefined {
  if (isFinalState(life.at)) return life.at
  return isFarOff(life, momentOf(world)) ? stateOf(life) : undefined
}

/** Asks for one that comes to its end and is answered when it has. */
export class Await extends Step {
  readonly #number: number
  readonly #door: number

  constructor(number: number, door: number) {
    super(`wait for the end of ${number}`)
    this.#number = number
    this.#door = door
  }

  check(model: Readonly<Model>): boolean {
    return model.invocations.length > 0
  }

  async act(model: Model, world: World): Promise<void> {
    const invocation = model.pick(this.#number)
    if (!invocation.resting(world).every(isOver)) return
    const { json, status, text } = await world.door(this.#door).get(invocation.id, '?wait=10s')
    const { state } = json as Shown
    const ends = invocation.resting(world).map(({ at }) => at as string)
    if (status !== 200 || !ends.includes(state))
      throw new Error(`It answers ${status} ${text}, but it is ${invocation}`)
  }
}
