import { type CycleReport, Cycles, type Trigger } from './cycle.js'
import { Dispatcher } from './dispatcher.js'
import type { ListenerOptions } from './listener-options.js'
import { Schedule } from './schedule.js'
import type { OpenBreaker } from './targets.js'

/** Pulls from the stream when triggered, makes the calls, and records what came of them. */
export class Listener {
  readonly #dispatcher: Dispatcher
  readonly #cycles: Cycles
  readonly #schedule: Schedule | undefined
  #stopped: Promise<void> | undefined

  /** @throws PosthasteError `invalid-configuration` if the schedule cannot be read */
  constructor(options: ListenerOptions) {
    this.#dispatcher = new Dispatcher(options)
    this.#cycles = new Cycles({ ...options, dispatcher: this.#dispatcher })
    const { schedule } = options
    this.#schedule = schedule === undefined ? undefined : new Schedule(schedule, () => this.#cycles.trigger('schedule'))
  }

  async start(): Promise<void> {
    this.#dispatcher.start()
    if (!this.#schedule) return
    await this.#schedule.start()
    this.#cycles.trigger('schedule')
  }

  /**
   * Triggers a cycle, or extends the one that runs, and resolves with its report once what stood on the stream, or was
   * due, is completed (`drained`), or after `waitMs`.
   */
  ping(by: Trigger, waitMs: number): Promise<CycleReport & { readonly drained: boolean }> {
    this.#dispatcher.start()
    return this.#cycles.ping(by, waitMs)
  }

  report(): Promise<CycleReport> {
    return this.#cycles.report()
  }

  /** Those of targets that are not called but for probes. */
  get openBreakers(): readonly OpenBreaker[] {
    return this.#dispatcher.openBreakers
  }

  /** Why it pulls nothing; undefined while all is well. */
  get blocked(): string | undefined {
    return this.#cycles.blocked
  }

  /**
   * Pulls nothing more, lets running calls end for `graceMs` and gives up the rest, which is called again by whoever
   * comes next. The consumer is the caller's to stop, afterwards. Idempotent.
   */
  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async #stop(graceMs: number): Promise<void> {
    await this.#schedule?.stop()
    await this.#cycles.stop()
    await this.#dispatcher.stop(graceMs)
  }
}
