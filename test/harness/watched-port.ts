import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_MS = 20
const UNTIL_MS_MAX = 60_000

/** A port that is open on every address of this machine. Who comes to another than the one that is `allowed` is caught. */
export class WatchedPort {
  /** At which addresses connections came that should not have. */
  readonly caught: string[] = []
  /** What was asked for at the one that is allowed. */
  readonly requests: IncomingMessage[] = []
  readonly #server = createServer((request, response) => this.#answer(request, response))

  static async open(allowed: string): Promise<WatchedPort> {
    const port = new WatchedPort(allowed)
    await once(port.#server.listen(0), 'listening')
    return port
  }

  private constructor(allowed: string) {
    this.#server.on('connection', ({ localAddress = '' }) => {
      if (localAddress.replace('::ffff:', '') !== allowed) this.caught.push(localAddress)
    })
  }

  get number(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async until(isSo: () => boolean): Promise<void> {
    for (const untilMs = performance.now() + UNTIL_MS_MAX; !isSo(); await sleep(LOOK_MS))
      if (performance.now() > untilMs) throw new Error(`${this.requests.length} requests came.`)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  /** Whoever follows what an answer says comes here once more, at an address where he is caught. */
  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(request)
    const { url = '' } = request
    const elsewhere = `http://127.0.0.1:${this.number}/`
    const redirect = /^\/redirect\/(\d+)/.exec(url)
    // A name is looked up for each connection.
    response.setHeader('connection', 'close')
    if (redirect) response.writeHead(Number(redirect[1]), { location: elsewhere })
    else if (url === '/missing') response.writeHead(404)
    else if (url === '/refresh') response.setHeader('refresh', `0; url=${elsewhere}`)
    else if (url === '/alternative') response.setHeader('alt-svc', `h2="127.0.0.1:${this.number}"`)
    response.end()
  }
}
