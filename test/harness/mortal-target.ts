import { setTimeout as sleep } from 'node:timers/promises'
import { type Arrival, TargetServer } from './target-server.js'

const LOOK_MS = 100

/** Fails every call until it is revived, and remembers which those were, and which succeed. */
export class MortalTarget {
  /** What was called once it was alive, by id. */
  readonly called = new Map<string, Arrival>()
  readonly failed: Arrival[] = []
  readonly #server: TargetServer
  #isAlive = false

  static async start(): Promise<MortalTarget> {
    const server = await TargetServer.start()
    return new MortalTarget(server)
  }

  private constructor(server: TargetServer) {
    this.#server = server
    server.script = (arrival) => {
      if (this.#isAlive) this.called.set(arrival.id, arrival)
      else this.failed.push(arrival)
      return { status: this.#isAlive ? 200 : 503 }
    }
  }

  get url(): string {
    return this.#server.url
  }

  revive(): void {
    this.#isAlive = true
  }

  /** Resolves once all of `ids` were called since it is alive. */
  async untilCalled(ids: readonly string[]): Promise<void> {
    for (let left = ids; left.length > 0; await sleep(LOOK_MS)) left = left.filter((id) => !this.called.has(id))
  }

  stop(): Promise<void> {
    return this.#server.stop()
  }
}
