import { connect, isIP, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { SocketTarget } from './kafka-options.js'

const KEEP_ALIVE_MS = 60_000

/**
 * The connections of a stream, of all its clients. Once it is stopped there are none: the library may be about to
 * connect again while it is being stopped.
 */
export class Connections {
  readonly #openSocket: (target: SocketTarget) => Socket
  readonly #open = new Set<Socket>()
  #isClosed = false

  constructor(openSocket: (target: SocketTarget) => Socket = openPlainOrTls) {
    this.#openSocket = openSocket
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  readonly open = (target: SocketTarget): Socket => {
    if (this.#isClosed) {
      const none = new Socket()
      setImmediate(() => none.destroy(new Error('the stream is stopped')))
      return none
    }
    const socket = this.#openSocket(target)
    this.#open.add(socket)
    socket.once('close', () => this.#open.delete(socket))
    return socket
  }

  close(): void {
    this.#isClosed = true
    for (const socket of this.#open) socket.destroy(new Error('the stream is stopped'))
  }
}

function openPlainOrTls({ host, onConnect, port, ssl }: SocketTarget): Socket {
  const socket = ssl
    ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
    : connect({ host, port }, onConnect)
  return socket.setKeepAlive(true, KEEP_ALIVE_MS)
}
