import type { Log } from '@posthaste/core'
import type { Admin } from 'kafkajs'
import { isAnswer } from './kafka-errors.js'

const LOOK_FIRST_MS = 250
const LOOK_LAST_MS = 2_000

/** Knows whether the cluster can be reached, and finds out when it is back. */
export class Availability {
  readonly #admin: Admin
  readonly #log: Log
  #reason: string | undefined
  #lookMs = LOOK_FIRST_MS
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(admin: Admin, log: Log) {
    this.#admin = admin
    this.#log = log
  }

  /** Why nothing can be stored now; undefined if it is not known to be so. */
  get reason(): string | undefined {
    return this.#reason
  }

  worked(): void {
    if (this.#reason === undefined) return
    this.#reason = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#log.info({}, 'the Kafka cluster is back')
  }

  /** Tells of a request that failed. */
  failed(error: unknown): void {
    if (this.#stopped || isAnswer(error)) return
    const reason = (error as Error).message
    if (this.#reason === undefined) {
      this.#log.warn({ err: error }, 'the Kafka cluster is away')
      this.#lookMs = LOOK_FIRST_MS
    }
    this.#reason = reason
    this.#timer ??= setTimeout(() => this.#look(), this.#lookMs)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #look(): Promise<void> {
    try {
      await this.#admin.describeCluster()
      if (!this.#stopped) this.worked()
    } catch (error) {
      this.#timer = undefined
      this.#lookMs = Math.min(LOOK_LAST_MS, this.#lookMs * 2)
      this.failed(error)
    }
  }
}
