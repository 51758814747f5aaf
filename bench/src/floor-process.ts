// The floor: what accepting and calling cost at the least, in one thread. The same fastify and undici; instructions are
// held in memory and nowhere else, are not checked, and what became of them is forgotten.

import { randomUUID } from 'node:crypto'
import fastify from 'fastify'
import { type Dispatcher, Pool } from 'undici'

interface Instruction {
  readonly target: string
  readonly body: unknown
}

/** As many as Posthaste has for one target. */
const CONCURRENCY_PER_TARGET = 64
const HEADERS = { 'content-type': 'application/json' }

/** Calls one origin, so many at once, with what waits in memory. */
class Lane {
  readonly #pool: Pool
  #waiting: string[] = []
  #next = 0
  #running = 0
  /** Reads the answer to its end and forgets it: the least that undici can be asked for. */
  readonly #handler: Dispatcher.DispatchHandler = {
    onRequestStart() {},
    onResponseStart() {},
    onResponseData() {},
    onResponseEnd: () => this.#end(),
    onResponseError(_, error) {
      throw error
    },
  }

  constructor(origin: string) {
    this.#pool = new Pool(origin, { connections: CONCURRENCY_PER_TARGET, pipelining: 1 })
  }

  add(body: string): void {
    this.#waiting.push(body)
    this.#start()
  }

  #start(): void {
    while (this.#running < CONCURRENCY_PER_TARGET) {
      const body = this.#take()
      if (body === undefined) return
      this.#running += 1
      this.#pool.dispatch({ path: '/', method: 'POST', headers: HEADERS, body }, this.#handler)
    }
  }

  #end(): void {
    this.#running -= 1
    this.#start()
  }

  #take(): string | undefined {
    if (this.#next >= 1_000) {
      this.#waiting = this.#waiting.slice(this.#next)
      this.#next = 0
    }
    const body = this.#waiting[this.#next]
    if (body !== undefined) this.#next += 1
    return body
  }
}

const lanes = new Map<string, Lane>()
const app = fastify({ logger: false, bodyLimit: 8 * 1024 * 1024 })

app.post('/invocations', async (request, reply) => {
  const { target, body } = request.body as Instruction
  let lane = lanes.get(target)
  if (!lane) {
    lane = new Lane(new URL(target).origin)
    lanes.set(target, lane)
  }
  lane.add(JSON.stringify(body))
  const id = randomUUID()
  reply.code(202).header('location', `/invocations/${id}`)
  return { id, state: 'queued' }
})

process.on('disconnect', () => process.exit())
process.send?.(await app.listen({ host: '127.0.0.1', port: 0 }))
