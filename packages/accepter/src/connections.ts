import type { IncomingMessage } from 'node:http'
import type { Server, Socket } from 'node:net'

/** The open connections of a server, and the requests on each that are not answered yet. */
export class Connections {
  /** Arrays, and seldom of more than one: sets whose entries come and go cost the collector much. */
  readonly #requests = new Map<Socket, IncomingMessage[]>()

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#requests.set(socket, [])
      socket.once('close', () => this.#requests.delete(socket))
    })
  }

  /** Tells of a request whose head has come. */
  began(request: IncomingMessage): void {
    this.#requests.get(request.socket)?.push(request)
  }

  /** Tells of one that is answered. Where the client has gone away that may not be told. */
  ended(request: IncomingMessage): void {
    const requests = this.#requests.get(request.socket)
    const index = requests?.indexOf(request) ?? -1
    if (index >= 0) requests?.splice(index, 1)
  }

  /** Whether a request has come whole and is not answered. */
  isWorking(socket: Socket): boolean {
    return this.#requests.get(socket)?.some(({ complete }) => complete) ?? false
  }

  /** Closes those on which nothing has come, or no whole request. */
  closeUnused(): void {
    for (const socket of this.#requests.keys()) if (!this.isWorking(socket)) socket.destroy()
  }
}
