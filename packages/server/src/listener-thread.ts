import type { FunctionMap } from '@posthaste/core'
import type { CycleReport } from '@posthaste/listener'
import type { Config } from './config/table.js'
import type { Functions } from './functions.js'
import type { ListenerPart, PingReport } from './listener-part.js'
import { PartThread } from './part-thread.js'

/**
 * Bodies lie outside of the heap, and records in work are bounded, so that this is ample. The collector lets a heap that
 * may become larger grow further before it looks what is alive.
 */
const resourceLimits = { maxOldGenerationSizeMb: 1_024, maxYoungGenerationSizeMb: 32 }

/** What the thread is told at a start. */
export interface ListenerStart {
  readonly url: string
  readonly functions: FunctionMap
}

/** A listener in a thread of its own, on a stream of its own: accepting and calling then have a processor each. */
export class ListenerThread implements ListenerPart {
  readonly #thread: PartThread
  readonly #functions: Functions

  constructor(config: Config, functions: Functions) {
    const module = new URL('./listener-thread-worker.js', import.meta.url)
    this.#thread = new PartThread({ name: 'listener', module, data: config, resourceLimits })
    this.#functions = functions
    // One that does not run learns it when it starts.
    functions.onChange((changed) => this.#thread.ask('change', changed).catch(() => undefined))
  }

  async start(url: string): Promise<void> {
    await this.#thread.ask('start', { url, functions: this.#functions.now() } satisfies ListenerStart)
  }

  ping(waitMs: number): Promise<PingReport> {
    return this.#thread.ask('ping', waitMs) as Promise<PingReport>
  }

  report(): Promise<CycleReport> {
    return this.#thread.ask('report') as Promise<CycleReport>
  }

  metrics(): Promise<string> {
    return this.#thread.ask('metrics') as Promise<string>
  }

  blocked(): Promise<string | undefined> {
    return this.#thread.ask('blocked') as Promise<string | undefined>
  }

  stop(): Promise<void> {
    return this.#thread.stop()
  }
}
