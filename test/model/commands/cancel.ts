import { afterCancel } from '../answers.js'
import type { InvocationModel } from '../invocation-model.js'
import { learn, type Model } from '../model.js'
import type { World } from '../world.js'
import { type Choice, circumstances, OfOne, waitQuery } from './of-one.js'

export class Cancel extends OfOne {
  constructor(choice: Choice) {
    super(choice, 'cancel')
  }

  async ask(model: Model, world: World, invocation: InvocationModel, door: number): Promise<void> {
    const { status, text } = await world.door(door).cancel(invocation.id, waitQuery(world))
    const lives = afterCancel(status, invocation.possible(world), circumstances(world))
    learn(invocation, lives, `Cancelling answers ${status} (${text})`)
    if (isPromised(status, world)) await model.forbidCalls(invocation, world)
  }
}

/** Whether nothing may be called any more: it is cancelled, or will be known to be before anybody can call. */
export function isPromised(status: number, { hasListener }: World): boolean {
  return status === 200 || (status === 202 && !hasListener)
}
