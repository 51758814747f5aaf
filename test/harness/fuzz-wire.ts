import { once } from 'node:events'
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'

/** An answer that takes longer does not come. */
const ANSWER_MS_MAX = 30_000

export interface Asked {
  readonly method: string
  /** With the query, as it is sent. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer | undefined
}

export interface Answered {
  readonly status: number
  readonly type: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** The connections to a process, over which requests go as they are, and bytes that are none. */
export class Wire {
  readonly url: string
  readonly #agent: Agent
  readonly #statuses: Record<string, number> = {}

  constructor(url: string, connections: number) {
    this.url = url
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  /** How often each status came. */
  get statuses(): Readonly<Record<string, number>> {
    return this.#statuses
  }

  /** @throws Error if there is no whole answer */
  exchange({ body, headers, method, path }: Asked): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(ANSWER_MS_MAX)
      const sent = request(this.url, { agent: this.#agent, method, path, headers, signal })
      sent.on('error', reject)
      sent.on('response', (response) => {
        const { headers, statusCode: status = 0 } = response
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.on('error', reject)
        response.on('end', () => {
          this.#note(status)
          resolve({ status, headers, type: headers['content-type'] ?? '', text })
        })
      })
      sent.end(body)
    })
  }

  /**
   * The statuses of what is answered to these bytes. It is the end once they are `enough`, or nothing comes for long.
   */
  async sendRaw(
    bytes: string | Buffer,
    enough: (statuses: readonly number[]) => boolean = () => false,
    quietMs = ANSWER_MS_MAX,
  ): Promise<number[]> {
    const { hostname, port } = new URL(this.url)
    const socket = connect({ port: Number(port), host: hostname, timeout: quietMs })
    let text = ''
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part
      // What else there may be for him he does not fetch.
      if (enough(statusesOf(text))) socket.destroy()
    })
    socket.on('timeout', () => socket.end())
    // Who is cut off while he sends gets an error.
    socket.on('error', () => {})
    socket.write(bytes)
    await once(socket, 'close')
    const statuses = statusesOf(text)
    for (const status of statuses) this.#note(status)
    return statuses
  }

  close(): void {
    this.#agent.destroy()
  }

  #note(status: number): void {
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1
  }
}

function statusesOf(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
}
