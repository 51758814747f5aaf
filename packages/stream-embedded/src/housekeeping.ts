import type { EmbeddedParts } from './parts.js'
import { applyRetention, dropEmpty, type Retention } from './retention.js'

const EVERY_MS = 30_000
/** How long it stands on the control log that there is nothing any more: whoever was away for longer reads it anew. */
const EMPTY_KEPT_MS = 7 * 86_400_000

export interface Retentions {
  readonly journal: Retention
  readonly claims: Retention
}

/** Removes what the logs need not keep: at once, and over and over. */
export class Housekeeping {
  readonly #parts: EmbeddedParts
  readonly #retentions: Retentions
  readonly #stopping: AbortSignal
  readonly #timer: NodeJS.Timeout
  #running: Promise<void> | undefined

  constructor(parts: EmbeddedParts, retentions: Retentions, stopping: AbortSignal) {
    this.#parts = parts
    this.#retentions = retentions
    this.#stopping = stopping
    this.#timer = setInterval(() => this.#start(), EVERY_MS)
    this.#start()
  }

  /** Resolves when nothing is being removed any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#running
  }

  #start(): void {
    this.#running ??= this.#run()
      .catch((error: unknown) => {
        this.#parts.log.warn({ err: error }, 'what is old cannot be removed now')
      })
      .finally(() => {
        this.#running = undefined
      })
  }

  async #run(): Promise<void> {
    const { clock, environment, logs } = this.#parts
    await applyRetention(environment, clock, logs.journal, this.#retentions.journal, this.#stopping)
    await applyRetention(environment, clock, logs.claims, this.#retentions.claims, this.#stopping)
    await dropEmpty(environment, clock, logs.control, EMPTY_KEPT_MS, this.#stopping)
  }
}
