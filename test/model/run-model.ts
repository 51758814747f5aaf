import { env } from 'node:process'
import fc from 'fast-check'
import type { Test } from 'tap'
import { checkEnds } from './final-check.js'
import { Model } from './model.js'
import type { World } from './world.js'

export interface ModelRun {
  readonly commands: fc.Arbitrary<fc.AsyncCommand<Model, World>>[]
  readonly commandsMax: number
  /** `modelMs` of something. Until then a failure is made smaller. */
  readonly forMs: number
  /** A slow machine takes longer: no run begins once the time is over, so many commands were run and all came that must. */
  readonly stepsMin: number
  /** What must have come: what the report counts. */
  readonly mustCome?: readonly string[]
  readonly start: () => Promise<World>
}

/** A run takes longer. */
const RUN_MS_MIN = 50

const { POSTHASTE_SEED, POSTHASTE_MODEL_PATH, POSTHASTE_MODEL_SECONDS } = env

/** How long to go on where nothing else is said, or what is said. */
export function modelMs(byDefaultMs: number): number {
  return POSTHASTE_MODEL_SECONDS === undefined ? byDefaultMs : Number(POSTHASTE_MODEL_SECONDS) * 1_000
}

/**
 * Runs random commands against the system and the model, again and again. POSTHASTE_SEED repeats them, from the run that
 * failed with POSTHASTE_MODEL_PATH: a failure says both, and the fewest commands that bring it about.
 * POSTHASTE_MODEL_SECONDS lets it go on for longer.
 */
export async function runModel(
  t: Test,
  { commands, commandsMax, forMs, mustCome = [], start, stepsMin }: ModelRun,
): Promise<void> {
  const seed = Number(POSTHASTE_SEED ?? Math.floor(Math.random() * 2 ** 31))
  const untilMs = performance.now() + forMs
  t.comment(`seed ${seed}`)
  const total = new Totals()
  const property = fc.asyncProperty(
    fc.commands(commands, { maxCommands: commandsMax, size: 'max' }),
    async (chosen) => {
      if (performance.now() > untilMs && total.steps >= stepsMin && mustCome.every((name) => total.of(name) > 0)) return
      const world = await start()
      const model = new Model()
      try {
        await fc.asyncModelRun(() => ({ model, real: world }), chosen)
        await checkEnds(model, world)
      } finally {
        total.add(model)
        await world.stop()
      }
    },
  )
  const found = await fc.check(property, {
    seed,
    numRuns: Math.ceil(forMs / RUN_MS_MIN),
    ...(POSTHASTE_MODEL_PATH !== undefined && { path: POSTHASTE_MODEL_PATH }),
  })
  t.notOk(found.failed, found.failed ? await describe(found) : 'every invocation came to its one end by a legal way')
  t.ok(total.steps >= stepsMin, total.toString())
  if (!found.failed) for (const name of mustCome) t.ok(total.of(name) > 0, `there were ${name}`)
}

/** What was tried in all runs. */
class Totals {
  runs = 0
  steps = 0
  readonly #counts = new Map<string, number>()

  add({ invocations, tally }: Model): void {
    this.runs += 1
    this.#add('invocations', invocations.length)
    this.#add('told of an end', invocations.filter(({ origin }) => origin).length)
    this.#add(
      'calls',
      invocations.reduce((sum, { calls }) => sum + calls.count, 0),
    )
    this.#add(
      'parks',
      invocations.reduce((sum, { parks }) => sum + parks, 0),
    )
    for (const { lives } of invocations) this.#add(lives[0]?.at ?? 'nowhere', 1)
    for (const { lives } of invocations) if ((lives[0]?.generation ?? 1) > 1) this.#add('redriven', 1)
    for (const [name, count] of tally) {
      this.steps += count
      this.#add(name, count)
    }
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  toString(): string {
    return `${this.runs} runs: ${[...this.#counts].map(([name, count]) => `${count} ${name}`).join(', ')}`
  }

  #add(name: string, count: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count)
  }
}

async function describe<T>(found: fc.RunDetails<T>): Promise<string> {
  const [run] = (found.counterexamplePath ?? '').split(':')
  const { errorInstance, seed } = found
  const reason = errorInstance instanceof Error ? errorInstance.message : String(errorInstance)
  return `POSTHASTE_SEED=${seed} POSTHASTE_MODEL_PATH=${run}\n${reason}\n${await fc.asyncDefaultReportMessage(found)}`
}
