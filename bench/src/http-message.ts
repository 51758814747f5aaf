const HEADERS_END = Buffer.from('\r\n\r\n')
const LENGTH_NAME = /content-length: *(\d+)/i

/** An HTTP/1.1 message that has come whole. */
export interface Message {
  /** Start line and headers. */
  readonly head: string
  readonly buffer: Buffer
  /** Where in `buffer` the body begins. */
  readonly bodyAt: number
}

/**
 * Puts messages of a connection together, one after the other, none before the last was answered. Knows bodies with a
 * Content-Length and no other: it is much cheaper than a real parser, so that what is measured has the processor.
 */
export class MessageReader {
  readonly #take: (message: Message) => void
  #pending: Buffer | undefined
  #missing = 0

  constructor(take: (message: Message) => void) {
    this.#take = take
  }

  add(chunk: Buffer): void {
    this.#missing -= chunk.length
    this.#pending = this.#pending ? Buffer.concat([this.#pending, chunk]) : chunk
    if (this.#missing > 0) return
    const buffer = this.#pending
    const headEnd = buffer.indexOf(HEADERS_END)
    if (headEnd < 0) return
    const head = buffer.toString('latin1', 0, headEnd)
    const bodyAt = headEnd + HEADERS_END.length
    const length = Number(LENGTH_NAME.exec(head)?.[1] ?? 0)
    this.#missing = bodyAt + length - buffer.length
    if (this.#missing > 0) return
    this.#pending = undefined
    this.#missing = 0
    this.#take({ head, buffer, bodyAt })
  }
}
