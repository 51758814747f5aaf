import { type JournalEntry, systemClock } from '@posthaste/core'
import { Client } from '../harness/client.js'
import { Control } from '../harness/control.js'
import { Fleet } from '../harness/fleet.js'
import type { Installation } from '../harness/installation.js'
import { readJournal } from '../harness/journal.js'
import { Cancel } from './commands/cancel.js'
import { Move } from './commands/move.js'
import type { Choice } from './commands/of-one.js'
import { isFarOff, momentOf } from './invocation-model.js'
import type { Model } from './model.js'
import { ModelTarget } from './model-target.js'
import type { World } from './world.js'

const ACCEPTERS = ['accepter-1', 'accepter-2'] as const
/** They share the work, or one stands by. */
const LISTENERS = ['listener-1', 'listener-2'] as const
const NO_BREAKER = 0

export interface ProcessWorldOptions {
  readonly installation: Installation
  /** A directory for the view of an accepter; nothing where all look at that of the installation. */
  readonly viewDirectory: (() => string) | undefined
}

/** Real processes and real time. They are killed as often as they are asked to stop. */
export class ProcessWorld implements World {
  readonly clock = systemClock
  readonly isExact = false
  readonly soonMs = 5_000
  /** Kafka takes one that was killed for alive for half a minute, and until then nobody has its timers. */
  readonly settleMs = 60_000
  readonly defaults = { maxAttempts: 4, retryDelayMs: 50, maxAgeMs: 86_400_000 }
  readonly views: number
  readonly target: ModelTarget
  readonly #options: ProcessWorldOptions
  readonly #fleet: Fleet
  readonly #client = new Client({ timeoutMs: 30_000 })
  #hasListener = false
  #stops = 0

  static async start(options: ProcessWorldOptions): Promise<ProcessWorld> {
    const world = new ProcessWorld(options, await ModelTarget.start(systemClock, NO_BREAKER))
    await Promise.all([...ACCEPTERS.map((_, number) => world.#startAccepter(number)), world.startListener()])
    return world
  }

  private constructor(options: ProcessWorldOptions, target: ModelTarget) {
    this.target = target
    this.views = options.viewDirectory ? ACCEPTERS.length : 1
    this.#options = options
    const { maxAttempts, retryDelayMs } = this.defaults
    this.#fleet = new Fleet(options.installation, {
      stopGrace: '0ms',
      // What it puts off is put off for half a minute at least.
      breakerFailures: String(NO_BREAKER),
      retryMaxAttempts: String(maxAttempts),
      retryInitialDelay: `${retryDelayMs}ms`,
      retryJitter: 'none',
    })
  }

  get hasListener(): boolean {
    return this.#hasListener
  }

  door(number: number): Control {
    return new Control(this.#client, this.#fleet.process(nameOf(number)).url)
  }

  aside(): undefined {
    return undefined
  }

  pass(): never {
    throw new Error('Nobody moves a real clock.')
  }

  /** All that waits is moved to now; what cannot be is cancelled. */
  async hasten(model: Model): Promise<void> {
    for (const [number, { lives }] of model.invocations.entries()) {
      if (!lives.some((life) => isFarOff(life, momentOf(this)))) continue
      const choice: Choice = { number, door: 0, when: 'at once' }
      await new Move(choice, 0).run(model, this)
      if (model.pick(number).lives.some((life) => isFarOff(life, momentOf(this))))
        await new Cancel(choice).run(model, this)
    }
  }

  async startListener(): Promise<void> {
    await this.#fleet.start(LISTENERS)
    this.#hasListener = true
  }

  async stopListener(): Promise<void> {
    this.#hasListener = false
    this.#stops += 1
    const signal = this.#stops % 2 === 1 ? 'SIGKILL' : 'SIGTERM'
    await Promise.all(LISTENERS.map((listener) => this.#fleet.remove(listener, signal)))
  }

  async restartAccepter(number: number): Promise<void> {
    await this.#fleet.remove(nameOf(number), 'SIGKILL')
    await this.#startAccepter(number)
  }

  async restartAll(): Promise<void> {
    await Promise.all(ACCEPTERS.map((_, number) => this.restartAccepter(number)))
  }

  journal(): Promise<JournalEntry[]> {
    return readJournal(this.#options.installation)
  }

  async stop(): Promise<void> {
    this.#client.close()
    await this.#fleet.stop()
    await this.target.stop()
  }

  /** Its view is a new one, where it has one of its own: it is told by the logs alone. */
  async #startAccepter(number: number): Promise<void> {
    const { viewDirectory } = this.#options
    await this.#fleet.start([nameOf(number)], viewDirectory ? { dataDir: viewDirectory() } : {})
  }
}

function nameOf(number: number): (typeof ACCEPTERS)[number] {
  return ACCEPTERS[number % ACCEPTERS.length] as (typeof ACCEPTERS)[number]
}
