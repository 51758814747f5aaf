import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A request that came, as the target saw it. */
export interface Arrival {
  /** What `Posthaste-Id` says: for a forward, the invocation that it reports. */
  readonly id: string
  /** What `Idempotency-Key` says: for a forward, its own id. */
  readonly key: string
  readonly generation: number
  readonly attempt: number
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly body: string
  /** When its headers were there, in milliseconds since the Unix epoch. */
  readonly atMs: number
  /** Numbers the connections, from 1: one belongs to one process. */
  readonly connection: number
  /** When the answer was handed to the connection, or the connection broke; undefined while it waits for either. */
  endedAtMs: number | undefined
  /** Whether the connection was still there for the answer. */
  answered: boolean
}

export interface Answer {
  /** 200 if left out. */
  readonly status?: number
  readonly delayMs?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Decides the answer to a request; `never` leaves it waiting for as long as the caller cares to. */
export type Script = (arrival: Arrival, request: IncomingMessage) => Answer | 'never' | Promise<Answer | 'never'>

const LOOK_MS = 10
/** Asked for by the test itself. */
const MARK = '/.mark'

/**
 * A real HTTP server that stands for a target: remembers every call and answers as scripted. It lives in the test's own
 * process, which the test does not kill.
 */
export class TargetServer {
  /** Everything that came, in the order in which it came. */
  readonly arrivals: Arrival[] = []
  readonly #server: Server
  readonly #connections = new WeakMap<Socket, number>()
  readonly #closedAtMs = new Map<number, number>()
  #connectionsMade = 0
  #connectionsOpen = 0
  #script: Script
  #waiting = 0

  /** Listens on a free port of the loopback address. */
  static async start(script: Script = () => ({})): Promise<TargetServer> {
    const target = new TargetServer(script)
    target.#server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
    await once(target.#server, 'listening')
    return target
  }

  private constructor(script: Script) {
    this.#script = script
    this.#server = createServer(
      { keepAliveTimeout: 60_000 },
      (request, response) => void this.#serve(request, response),
    )
    this.#server.on('connection', (socket) => {
      this.#connectionsMade += 1
      this.#connectionsOpen += 1
      const connection = this.#connectionsMade
      this.#connections.set(socket, connection)
      socket.once('close', () => {
        this.#connectionsOpen -= 1
        this.#closedAtMs.set(connection, Date.now())
      })
    })
  }

  /** Without a slash at its end. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Requests that came and have no answer yet. */
  get waiting(): number {
    return this.#waiting
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connectionsOpen
  }

  /** When a connection ended; undefined while it is open. */
  closedAtMs(connection: number): number | undefined {
    return this.#closedAtMs.get(connection)
  }

  /** Answers differently from now on. */
  set script(script: Script) {
    this.#script = script
  }

  /** What came for an invocation. */
  of(id: string): Arrival[] {
    return this.arrivals.filter((arrival) => arrival.id === id)
  }

  /** Resolves once `condition` is true. @throws Error if that takes longer than `timeoutMs` */
  async until(condition: (target: this) => boolean, timeoutMs = 60_000): Promise<void> {
    const untilMs = performance.now() + timeoutMs
    while (!condition(this)) {
      if (performance.now() > untilMs) {
        throw new Error(`The target waited for more in vain: ${this.arrivals.length} came, ${this.#waiting} wait.`)
      }
      await sleep(LOOK_MS)
    }
  }

  /** Resolves once everything has come that was sent before: what comes over a new connection comes last. */
  async heardAll(): Promise<void> {
    const mark = request(`${this.url}${MARK}`, { agent: false })
    mark.end()
    const [response] = (await once(mark, 'response')) as [IncomingMessage]
    response.resume()
    await once(response, 'close')
  }

  /** Closes every connection, whatever waits on it. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const atMs = Date.now()
    if (request.url === MARK) {
      response.end()
      return
    }
    const chunks: Buffer[] = []
    // A caller that is killed while it sends has not called.
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      return
    }
    const arrival = this.#remember(request, Buffer.concat(chunks).toString(), atMs)
    response.once('close', () => {
      this.#waiting -= 1
      arrival.endedAtMs = Date.now()
      arrival.answered = response.writableFinished
    })
    const answer = await this.#script(arrival, request)
    if (answer === 'never') return
    if (answer.delayMs) await sleep(answer.delayMs)
    response.writeHead(answer.status ?? 200, answer.headers)
    response.end(answer.body)
  }

  #remember(request: IncomingMessage, body: string, atMs: number): Arrival {
    const { headers, method = '', socket, url: path = '' } = request
    const arrival: Arrival = {
      id: String(headers['posthaste-id']),
      key: String(headers['idempotency-key']),
      generation: Number(headers['posthaste-generation']),
      attempt: Number(headers['posthaste-attempt']),
      method,
      path,
      body,
      atMs,
      connection: this.#connections.get(socket) ?? 0,
      endedAtMs: undefined,
      answered: false,
    }
    this.#waiting += 1
    this.arrivals.push(arrival)
    return arrival
  }
}
