import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** A real HTTP server that answers at once, or resets every connection while it is dead. */
export class DyingTarget {
  readonly #server = createServer((request, response) => {
    request.resume()
    this.#heard(String(request.headers['posthaste-id']))
    response.end()
  })
  readonly #sockets = new Set<Socket>()
  readonly #heard: (id: string) => void
  #isDead = false

  /** `heard` is told of each invocation that is called while it is alive. */
  static async start(heard: (id: string) => void): Promise<DyingTarget> {
    const target = new DyingTarget(heard)
    target.#server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
    await once(target.#server, 'listening')
    return target
  }

  private constructor(heard: (id: string) => void) {
    this.#heard = heard
    this.#server.on('connection', (socket) => {
      if (this.#isDead) socket.resetAndDestroy()
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  /** Its origin. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  die(): void {
    this.#isDead = true
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  revive(): void {
    this.#isDead = false
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }
}
