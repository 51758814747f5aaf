import { once } from 'node:events'
import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import type { InstructionInput } from '@posthaste/core'

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The text read as JSON; undefined if it is none. */
  readonly json: unknown
}

export interface ClientOptions {
  /** Connections kept open; more requests than that wait their turn. */
  readonly connections?: number
  /** After this long without an answer a request rejects. */
  readonly timeoutMs?: number
}

/** Talks to a Posthaste process over connections that are kept open. */
export class Client {
  readonly #agent: Agent
  readonly #timeoutMs: number

  constructor(options: ClientOptions = {}) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections ?? 64 })
    this.#timeoutMs = options.timeoutMs ?? 15_000
  }

  /** POSTs an instruction to the process at `url`. Rejects if there was no answer. */
  post(url: string, instruction: InstructionInput): Promise<Answered> {
    return this.request(`${url}/invocations`, 'POST', JSON.stringify(instruction))
  }

  /** POSTs an instruction and returns its id. @throws Error if the answer is not 202 */
  async accept(url: string, instruction: InstructionInput): Promise<string> {
    const { json, status, text } = await this.post(url, instruction)
    if (status !== 202) throw new Error(`The answer is ${status} and not 202: ${text}`)
    return (json as { id: string }).id
  }

  async request(url: string, method = 'GET', body?: string, headers: OutgoingHttpHeaders = {}): Promise<Answered> {
    const sent = request(url, {
      agent: this.#agent,
      method,
      signal: AbortSignal.timeout(this.#timeoutMs),
      headers: {
        ...headers,
        ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    })
    sent.end(body)
    const [response] = (await once(sent, 'response')) as [AsyncIterable<Buffer> & Received]
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    return { status: response.statusCode, headers: response.headers, text, json: parse(text) }
  }

  close(): void {
    this.#agent.destroy()
  }
}

interface Received {
  readonly statusCode: number
  readonly headers: IncomingHttpHeaders
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
