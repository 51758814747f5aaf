import type { IncomingMessage } from 'node:http'
import type { Clock } from '@posthaste/core'
import { type Answer, type Arrival, TargetServer } from '../harness/target-server.js'
import { answerOf, type Behaviour } from './behaviour.js'
import { behaviourOf, isTroublesome, type Plan, scriptOf, TOLD, type Told } from './plan.js'
import { TargetHealth } from './target-health.js'

/** A call that came, when, by the clock of the test, and what was done with it. */
export interface Heard {
  readonly arrival: Arrival
  readonly atMs: number
  readonly behaviour: Behaviour
  /** The invocation that the call is of: what is told of an end names that which has ended. */
  readonly id: string
  readonly depth: number
  /** Where it tells of an end: to whom, and the state. */
  readonly told?: { readonly whom: Told; readonly state: string }
}

const ID_LENGTH = 36

/** The targets of all invocations: each call says by its path what is to be done with it. */
export class ModelTarget {
  /** Everything that came, in the order in which it came. */
  readonly heard: Heard[] = []
  readonly #clock: Clock
  readonly #breakerFailures: number
  readonly #servers: TargetServer[] = []
  readonly #health = new Map<string, TargetHealth>()
  /** Calls that are held, by invocation and generation. */
  readonly #held = new Map<string, ((status: number) => void)[]>()
  readonly #released = new Map<string, number>()

  /** After so many failures in a row whoever calls may put calls off; 0 for never. */
  static async start(clock: Clock, breakerFailures: number): Promise<ModelTarget> {
    const target = new ModelTarget(clock, breakerFailures)
    await target.#add()
    return target
  }

  private constructor(clock: Clock, breakerFailures: number) {
    this.#clock = clock
    this.#breakerFailures = breakerFailures
  }

  /** The target of those that answer. */
  get url(): string {
    return (this.#servers[0] as TargetServer).url
  }

  async urlFor(plan: Plan): Promise<string> {
    return isTroublesome(plan) ? this.#add() : this.url
  }

  /** Of the target at `url`. */
  health(url: string): TargetHealth {
    return this.#health.get(url) as TargetHealth
  }

  /** Whether an attempt is at the target and has no answer yet. */
  isHolding(id: string, { attempt, generation }: Pick<Arrival, 'attempt' | 'generation'>): boolean {
    return this.heard.some(({ arrival }) => {
      const isIt = arrival.id === id && arrival.generation === generation && arrival.attempt === attempt
      return isIt && arrival.endedAtMs === undefined
    })
  }

  /** Resolves once nobody waits for an answer: whoever called is gone, and with them what they knew. */
  async untilAlone(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.until(({ waiting }) => waiting === 0)))
    for (const health of this.#health.values()) health.forget()
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
    const health = new TargetHealth(this.#breakerFailures)
    const server = await TargetServer.start((arrival, request) => this.#answer(arrival, request, health))
    this.#servers.push(server)
    this.#health.set(server.url, health)
    return server.url
  }

  async #answer(arrival: Arrival, request: IncomingMessage, health: TargetHealth): Promise<Answer | 'never'> {
    const { attempt, generation, path } = arrival
    const atMs = this.#clock.now()
    const behaviour = health.isDown ? '503' : behaviourOf(scriptOf(path), generation, attempt)
    health.hear(behaviour, atMs)
    this.heard.push({ arrival, atMs, behaviour, ...whoseOf(arrival, request) })
    if (behaviour === 'timeout') return 'never'
    if (behaviour === 'held') return { status: await this.#hold(arrival) }
    if (behaviour !== 'reset') return answerOf(behaviour, atMs)
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

function whoseOf({ id, key, path }: Arrival, { headers }: IncomingMessage): Pick<Heard, 'id' | 'depth' | 'told'> {
  const depth = Number(headers['posthaste-depth'])
  const state = headers['posthaste-state']
  const whom = TOLD.find((told) => path.endsWith(`?${told}`))
  if (!whom) return { id, depth }
  return { id: key.slice(0, ID_LENGTH), depth, told: { whom, state: String(state) } }
}

function nameOf({ generation, id }: Pick<Arrival, 'generation' | 'id'>): string {
  return `${id}.${generation}`
}
