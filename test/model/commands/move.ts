import type { Answered } from '../../harness/client.js'
import type { Shown } from '../../harness/control.js'
import { afterCancel, afterMove } from '../answers.js'
import type { InvocationModel } from '../invocation-model.js'
import { isExpired, isOver, moved } from '../life.js'
import { learn, type Model } from '../model.js'
import type { World } from '../world.js'
import { isPromised } from './cancel.js'
import { type Choice, circumstances, OfOne, waitQuery } from './of-one.js'

export class Move extends OfOne {
  readonly #byMs: number

  constructor(choice: Choice, byMs: number) {
    super(choice, `move to ${byMs}ms from now`)
    this.#byMs = byMs
  }

  async ask(model: Model, world: World, invocation: InvocationModel, door: number): Promise<void> {
    const dueMs = world.clock.now() + this.#byMs
    if (expiresBefore(invocation, world, dueMs)) return
    allowMove(model, world, invocation, dueMs)
    const { json, status, text } = await world.door(door).move(invocation.id, dueMs, waitQuery(world))
    const lives = afterMove(status, invocation.possible(world), dueMs, circumstances(world))
    learn(invocation, lives, `Moving answers ${status} (${text})`)
    if (status === 200) await forbidOldTime(model, world, invocation, dueMs, json as Shown)
  }
}

/** Cancels it at one accepter and moves it at the other, both at once. */
export class CancelAndMove extends OfOne {
  readonly #byMs: number

  constructor(choice: Choice, byMs: number) {
    super(choice, `cancel and move to ${byMs}ms from now`)
    this.#byMs = byMs
  }

  async ask(model: Model, world: World, invocation: InvocationModel, door: number): Promise<void> {
    const dueMs = world.clock.now() + this.#byMs
    if (expiresBefore(invocation, world, dueMs)) return
    allowMove(model, world, invocation, dueMs)
    const [cancel, move] = await Promise.all([
      world.door(door).cancel(invocation.id, waitQuery(world)),
      world.door(door + 1).move(invocation.id, dueMs, waitQuery(world)),
    ])
    learnBoth(world, invocation, dueMs, cancel, move)
    if (isPromised(cancel.status, world)) await model.forbidCalls(invocation, world)
  }
}

/** Either may have come first. */
function learnBoth(world: World, invocation: InvocationModel, dueMs: number, cancel: Answered, move: Answered): void {
  const now = circumstances(world)
  const before = invocation.possible(world)
  const cancelFirst = invocation.possible(world, afterCancel(cancel.status, before, now))
  const moveFirst = invocation.possible(world, afterMove(move.status, before, dueMs, now))
  const lives = [...afterMove(move.status, cancelFirst, dueMs, now), ...afterCancel(cancel.status, moveFirst, now)]
  const answers = `Cancelling answers ${cancel.status} (${cancel.text}), moving ${move.status} (${move.text})`
  learn(invocation, lives, answers)
}

/** From now on it may be called at its new time. */
function allowMove(model: Model, world: World, invocation: InvocationModel, dueMs: number): void {
  model.hear(world)
  for (const life of invocation.possible(world)) {
    if (!isOver(life)) invocation.calls.allowFrom(life.generation, life.attempt, dueMs)
  }
}

/** From now on it may not be called at its old time. What was on its way before counts as before. */
async function forbidOldTime(
  model: Model,
  world: World,
  invocation: InvocationModel,
  dueMs: number,
  { attemptsMade, generation }: Shown,
): Promise<void> {
  await world.target.heardAll(invocation.target)
  model.hear(world)
  const attempt = attemptsMade + 1
  if (invocation.lives.some((life) => life.attempt === attempt)) {
    invocation.calls.allowOnlyFrom(generation, attempt, dueMs)
  }
}

/** That it expires before its new time is a mistake of another kind. */
function expiresBefore(invocation: InvocationModel, world: World, dueMs: number): boolean {
  const { terms } = invocation
  if (terms.expiresAtMs !== undefined && terms.expiresAtMs <= dueMs) return true
  return invocation.possible(world).some((life) => isExpired(terms, moved(life, dueMs), dueMs))
}
