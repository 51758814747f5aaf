import type { InvocationState } from '@posthaste/core'
import type { Bulk, BulkReport } from '../../harness/control.js'
import { afterCancel } from '../answers.js'
import { type InvocationModel, momentOf } from '../invocation-model.js'
import { isDead, isOver, type Life, redriven } from '../life.js'
import { learn, type Model } from '../model.js'
import { settle } from '../settle.js'
import type { World } from '../world.js'
import { circumstances } from './of-one.js'
import { Step } from './step.js'

export interface BulkChoice {
  readonly door: number
  readonly correlationId: string | undefined
  readonly isDryRun: boolean
}

/** Something is done to all that match, of whom it is known what they are. */
abstract class BulkStep extends Step {
  readonly choice: BulkChoice

  constructor(choice: BulkChoice, description: string) {
    const { correlationId, isDryRun } = choice
    super(`${isDryRun ? 'count what to ' : ''}${description} all of ${correlationId ?? 'them'}`)
    this.choice = choice
  }

  check(model: Readonly<Model>): boolean {
    return model.invocations.length > 0
  }

  async act(model: Model, world: World): Promise<void> {
    await settle(model, world)
    const { correlationId } = this.choice
    const chosen = model.invocations.filter(({ plan }) => !correlationId || plan.correlationId === correlationId)
    const matching = chosen.filter(({ lives }) => lives.every((life) => this.matches(life)))
    const fromMs = world.clock.now()
    const { done, matched } = await this.ask(world)
    const toDo = this.choice.isDryRun ? [] : matching
    // What was asked before and is not done yet is not asked again, if that is known already.
    const toDoAtLeast = toDo.filter(({ lives }) => lives.every(({ asked }) => asked?.kind !== 'cancel'))
    if (matched !== matching.length || done > toDo.length || done < toDoAtLeast.length) {
      throw new Error(`${matching.length} match; it says that ${matched} do, and that it is done for ${done}`)
    }
    for (const invocation of toDo) this.learn(world, invocation, toDo.length, fromMs)
    // It is not waited for: what asks next may be answered as if it had not been done.
    if (toDo.length > 0) await settle(model, world)
    this.examine(world, toDo)
  }

  abstract matches(life: Life): boolean
  abstract ask(world: World): Promise<BulkReport>
  /** It is one of `all` for which it was asked at `fromMs`. */
  abstract learn(world: World, invocation: InvocationModel, all: number, fromMs: number): void

  /** Looks at what was done, once it is known. */
  examine(_world: World, _done: readonly InvocationModel[]): void {}

  get body(): Bulk {
    const { correlationId, isDryRun } = this.choice
    return { filter: correlationId === undefined ? {} : { correlationId }, ...(isDryRun && { dryRun: true }) }
  }
}

/** It does not wait for the ends. */
export class CancelAll extends BulkStep {
  constructor(choice: BulkChoice) {
    super(choice, 'cancel')
  }

  matches(life: Life): boolean {
    return !isOver(life)
  }

  ask(world: World): Promise<BulkReport> {
    return bulk(world, this.choice.door, 'cancel', this.body)
  }

  learn(world: World, invocation: InvocationModel): void {
    learn(invocation, afterCancel(202, invocation.lives, circumstances(world)), 'Cancelling all does it')
  }
}

/** All at once, or so many a second. */
export class RedriveAll extends BulkStep {
  readonly #rate: number | undefined
  readonly #state: InvocationState | undefined

  constructor(choice: BulkChoice, rate: number | undefined, state: 'failed' | 'expired' | undefined) {
    super(
      choice,
      `redrive${rate === undefined ? '' : `, ${rate} a second,`}${state === undefined ? '' : ` what ${state}`}`,
    )
    this.#rate = rate
    this.#state = state
  }

  matches(life: Life): boolean {
    return this.#state === undefined ? isDead(life) : life.at === this.#state
  }

  ask(world: World): Promise<BulkReport> {
    const filter = { ...this.body.filter, ...(this.#state && { state: [this.#state] }) }
    const rate = this.#rate === undefined ? {} : { rate: this.#rate }
    return bulk(world, this.choice.door, 'redrive', { ...this.body, ...rate, filter })
  }

  /** With a rate, one is due at once and each other some time later: which is not promised. */
  learn(world: World, invocation: InvocationModel, all: number, fromMs: number): void {
    const { nowMs } = momentOf(world)
    const lives = invocation.lives.flatMap((life) => this.#placesMs(all).map((ms) => redriven(life, nowMs + ms)))
    learn(invocation, lives, 'Redriving all does it')
    invocation.calls.allowFrom((lives[0] as Life).generation, 1, fromMs)
  }

  /** Each has a time of its own: those that have not come yet are seen. */
  override examine({ clock, isExact }: World, done: readonly InvocationModel[]): void {
    const nowMs = clock.now()
    const first = done.flatMap(({ lives }) => lives.filter(({ at, attempt }) => at === 'waiting' && attempt === 1))
    const laterMs = first.map(({ dueMs }) => dueMs - nowMs)
    const expected = this.#placesMs(done.length).filter((ms) => ms > 0)
    const found = laterMs.filter((ms) => ms > 0).sort((a, b) => a - b)
    if (isExact && `${found}` !== `${expected}`) throw new Error(`They are due after ${found} ms, and not ${expected}`)
  }

  #placesMs(count: number): number[] {
    const rate = this.#rate
    return rate === undefined ? [0] : Array.from({ length: count }, (_, place) => (place * 1_000) / rate)
  }
}

async function bulk(world: World, door: number, what: 'cancel' | 'redrive', body: Bulk): Promise<BulkReport> {
  const { json, status, text } = await world.door(door).bulk(what, body)
  if (status !== 200) throw new Error(`It answers ${status}: ${text}`)
  return json as BulkReport
}
