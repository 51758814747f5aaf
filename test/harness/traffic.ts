import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from './client.js'
import { createPlan, type Plan } from './instruction-mix.js'
import type { Random } from './random.js'

const LOOK_MS = 10
/** A client that was told to come back later does. */
const REFUSED_REST_MS = 200

export interface TrafficOptions {
  /** Where to POST to now; undefined while nobody is there. */
  readonly url: () => string | undefined
  readonly targetUrl: string
  readonly random: Random
  /** Clients that each send one instruction after another. */
  readonly clients: number
  /** A client rests for up to this long between two instructions. */
  readonly restMs: number
}

/**
 * Clients that keep sending instructions. One that got no answer is never sent again: whether it was taken is unknown,
 * and stays so.
 */
export class Traffic {
  /** Everything that was sent, by number. */
  readonly plans: Plan[] = []
  /** The ids of those that got 202, by number. */
  readonly accepted = new Map<number, string>()
  /** Answers other than 202, by status. */
  readonly refused = new Map<number, number>()
  /** Sent without an answer. */
  unanswered = 0
  readonly #options: TrafficOptions
  #restMs: number
  readonly #client: Client
  readonly #clients: Promise<void>[]
  #stopping = false

  constructor(options: TrafficOptions) {
    this.#options = options
    this.#restMs = options.restMs
    this.#client = new Client({ connections: options.clients })
    this.#clients = Array.from({ length: options.clients }, () => this.#send())
  }

  /** Has each client rest for up to `restMs` from now on. */
  slowDown(restMs: number): void {
    this.#restMs = restMs
  }

  /** Resolves once so many got 202. @throws Error if that takes longer than `timeoutMs` */
  async until(accepted: number, timeoutMs: number): Promise<void> {
    const untilMs = performance.now() + timeoutMs
    while (this.accepted.size < accepted) {
      const others = JSON.stringify([...this.refused])
      if (performance.now() > untilMs)
        throw new Error(`${this.accepted.size} got 202, and not ${accepted}; other answers: ${others}`)
      await sleep(LOOK_MS)
    }
  }

  /** Resolves when every client has its last answer. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#clients)
    this.#client.close()
  }

  async #send(): Promise<void> {
    const { random, targetUrl, url } = this.#options
    while (!this.#stopping) {
      const to = url()
      const plan = (): Plan => createPlan(this.plans.length, targetUrl, random, Date.now())
      const isRefused = to !== undefined && (await this.#sendOne(to, plan()))
      await sleep(isRefused ? REFUSED_REST_MS : random.integer(0, this.#restMs))
    }
  }

  /** Returns whether it was refused. */
  async #sendOne(url: string, plan: Plan): Promise<boolean> {
    this.plans.push(plan)
    try {
      const { json, status } = await this.#client.post(url, plan.instruction)
      if (status === 202) this.accepted.set(plan.number, (json as { id: string }).id)
      else this.refused.set(status, (this.refused.get(status) ?? 0) + 1)
      return status !== 202
    } catch {
      this.unanswered += 1
      return false
    }
  }
}
