import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

type State = 'open' | 'silent' | 'broken'

/** A network between a process and a broker on this machine, which a test can break. */
export class TcpProxy {
  readonly #server: Server
  readonly #toPort: number
  /** Both ends of each connection. */
  readonly #sockets = new Set<Socket>()
  #state: State = 'open'

  static async start(toPort: number, port = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy(toPort)
    proxy.#server.listen(port, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  private constructor(toPort: number) {
    this.#toPort = toPort
    this.#server = createServer((socket) => this.#accept(socket))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Nothing comes through any more and nobody is told, as when a cable is cut. What was on its way waits. */
  silence(): void {
    this.#state = 'silent'
    for (const socket of this.#sockets) socket.pause()
  }

  /** Every connection breaks, and so does each new one. */
  break(): void {
    this.#state = 'broken'
    for (const socket of this.#sockets) socket.destroy()
  }

  mend(): void {
    this.#state = 'open'
    for (const socket of this.#sockets) socket.resume()
  }

  async stop(): Promise<void> {
    this.break()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(near: Socket): void {
    if (this.#state === 'broken') {
      near.destroy()
      return
    }
    const far = connect(this.#toPort, '127.0.0.1')
    this.#join(near, far)
    this.#join(far, near)
    if (this.#state === 'silent') this.silence()
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.setNoDelay(true)
    from.on('data', (chunk) => to.write(chunk))
    from.on('error', () => undefined)
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
  }
}
