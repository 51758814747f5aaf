import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import { networkOf } from '@posthaste/core'
import { Shares } from './share.js'

export interface ConnectionsOptions {
  /** Divided among the addresses that they come from. */
  readonly max: number
  taken(): void
  refused(reason: string): void
}

/** The open connections of a server, and the answers on each that are not whole yet. */
export class Connections {
  /** Arrays, and seldom of more than one: sets whose entries come and go cost the collector much. */
  readonly #answers = new Map<Socket, ServerResponse[]>()
  /** Of those whose head was answered, and the body had not come yet: the last. */
  readonly #early = new WeakMap<Socket, IncomingMessage>()
  /** Bytes written to each when that was last looked at. */
  readonly #written = new WeakMap<Socket, number>()

  constructor(server: Server, { max, refused, taken }: ConnectionsOptions) {
    const places = new Shares(max)
    server.on('connection', (socket: Socket) => {
      const network = networkOf(socket.remoteAddress ?? '')
      if (!places.take(network)) {
        refused(`Of ${max} connections there are ${places.all}; no more are taken of ${network}.`)
        return void socket.destroy()
      }
      taken()
      this.#answers.set(socket, [])
      socket.once('close', () => {
        places.giveBack(network)
        this.#answers.delete(socket)
      })
    })
  }

  /** Tells of the answer to a request whose head has come. */
  began(answer: ServerResponse): void {
    this.#answers.get(answer.req.socket)?.push(answer)
  }

  /** Tells of one that is whole. Where the client has gone away that may not be told. */
  ended(answer: ServerResponse): void {
    const { req: request } = answer
    if (!request.complete) this.#early.set(request.socket, request)
    const answers = this.#answers.get(request.socket)
    const index = answers?.indexOf(answer) ?? -1
    if (index >= 0) answers?.splice(index, 1)
  }

  /** Whether a request has come whole and is not answered. */
  isWorking(socket: Socket): boolean {
    return this.#answers.get(socket)?.some(({ req }) => req.complete) ?? false
  }

  /** Whether a client may be told that what it sends is broken: it would take that for the answer to something else, or a part of it. */
  mayBeTold(socket: Socket): boolean {
    const hasBegun = this.#answers.get(socket)?.some(({ headersSent }) => headersSent) ?? false
    return !hasBegun && !this.isWorking(socket) && (this.#early.get(socket)?.complete ?? true)
  }

  /** Closes those whose client has not fetched all by now that was there for him when this was last called. */
  closeUnread(): void {
    for (const socket of this.#answers.keys()) {
      if (socket.bytesWritten - socket.writableLength < (this.#written.get(socket) ?? 0)) socket.resetAndDestroy()
      this.#written.set(socket, socket.bytesWritten)
    }
  }

  /** Closes those on which nothing has come, or no whole request. */
  closeUnused(): void {
    for (const socket of this.#answers.keys()) if (!this.isWorking(socket)) socket.destroy()
  }
}
