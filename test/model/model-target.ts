import type { IncomingMessage } from 'node:http'
import type { Clock } from '@posthaste/core'
import { type Answer, type Arrival, TargetServer } from '../harness/target-server.js'
import { behaviourOf, isTroublesome, type Plan, scriptOf } from './plan.js'

/** A call that came, and when, by the clock of the test. */
export interface Heard {
  readonly arrival: Arrival
  readonly atMs: number
}

/** The targets of all invocations: each call says by its path what is to be done with it. */
export class ModelTarget {
  /** Everything that came, in the order in which it came. */
  readonly heard: Heard[] = []
  readonly #clock: Clock
  readonly #servers: TargetServer[] = []
  /** Calls that are held, by invocation and generation. */
  readonly #held = new Map<string, ((status: number) => void)[]>()
  readonly #released = new Map<string, number>()

  static async start(clock: Clock): Promise<ModelTarget> {
    const target = new ModelTarget(clock)
    await target.#add()
    return target
  }

  private constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The target of those that answer. */
  get url(): string {
    return (this.#servers[0] as TargetServer).url
  }

  async urlFor(plan: Plan): Promise<string> {
    return isTroublesome(plan) ? this.#add() : this.url
  }

  /** Whether an attempt is at the target and has no answer yet. */
  isHolding(id: string, { attempt, generation }: Pick<Arrival, 'attempt' | 'generation'>): boolean {
    return this.heard.some(({ arrival }) => {
      const isIt = arrival.id === id && arrival.generation === generation && arrival.attempt === attempt
      return isIt && arrival.endedAtMs === undefined
    })
  }

  /** Resolves once nobody waits for an answer: whoever called is gone. */
  async untilAlone(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.until(({ waiting }) => waiting === 0)))
  }

  /** Answers what is held of an invocation, and what still comes of that generation. */
  release(id: string, generation: number, status = 200): void {
    const name = nameOf({ id, generation })
    this.#released.set(name, status)
    for (const release of this.#held.get(name) ?? []) release(status)
  }

  /** Resolves once everything is heard that was sent to the target at `url` before. */
  async heardAll(url: string): Promise<void> {
    await this.#servers.find((server) => server.url === url)?.heardAll()
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()))
  }

  async #add(): Promise<string> {
    const server = await TargetServer.start((arrival, request) => this.#answer(arrival, request))
    this.#servers.push(server)
    return server.url
  }

  async #answer(arrival: Arrival, request: IncomingMessage): Promise<Answer | 'never'> {
    const { attempt, generation, path } = arrival
    this.heard.push({ arrival, atMs: this.#clock.now() })
    const behaviour = behaviourOf(scriptOf(path), generation, attempt)
    if (behaviour === 'timeout') return 'never'
    if (behaviour === 'held') return { status: await this.#hold(arrival) }
    if (behaviour !== 'reset') return { status: Number(behaviour) }
    request.socket.destroy()
    return 'never'
  }

  /** Resolves with the status to answer. */
  #hold(arrival: Arrival): number | Promise<number> {
    const name = nameOf(arrival)
    const held = this.#held.get(name) ?? []
    this.#held.set(name, held)
    return this.#released.get(name) ?? new Promise((release) => held.push(release))
  }
}

function nameOf({ generation, id }: Pick<Arrival, 'generation' | 'id'>): string {
  return `${id}.${generation}`
}
