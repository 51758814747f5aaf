import type { Answered } from '../../harness/client.js'
import type { Shown } from '../../harness/control.js'
import { afterRedrive } from '../answers.js'
import { type InvocationModel, momentOf } from '../invocation-model.js'
import { isDead } from '../life.js'
import { learn, type Model } from '../model.js'
import { settle } from '../settle.js'
import type { World } from '../world.js'
import { type Choice, OfOne } from './of-one.js'

/** Redrives it, at both accepters at once: that is one redrive. */
export class Redrive extends OfOne {
  constructor(choice: Choice) {
    super(choice, 'redrive')
  }

  async ask(model: Model, world: World, invocation: InvocationModel, door: number): Promise<void> {
    // One accepter may know a little later than the other that it is a dead letter.
    if (world.views > 1) await settle(model, world)
    const fromMs = world.clock.now()
    const answers = await Promise.all([0, 1].map((more) => world.door(door + more).redrive(invocation.id)))
    const redrives = answers.filter(({ status }) => status === 202)
    // The second may find that the generation of the first has failed already.
    const generations = [...new Set(redrives.map(({ json }) => (json as Shown).generation))].sort((a, b) => a - b)
    for (const generation of generations) learnRedrive(world, invocation, generation, fromMs)
    if (redrives.length > 0) return
    const { status, text } = answers[0] as Answered
    const lives = afterRedrive(status, invocation.possible(world), momentOf(world))
    learn(invocation, lives, `Redriving answers ${status} (${text})`)
  }
}

function learnRedrive(world: World, invocation: InvocationModel, generation: number, fromMs: number): void {
  const possible = invocation.possible(world)
  // It was asked for a moment ago and is not shown yet: that is the same redrive.
  if (possible.some((life) => life.generation === generation && !isDead(life))) return
  const redriven = afterRedrive(202, possible, momentOf(world))
  const lives = redriven.filter((life) => life.generation === generation)
  learn(invocation, lives, `Redriving answers 202 and generation ${generation}`)
  invocation.calls.allowFrom(generation, 1, fromMs)
}
