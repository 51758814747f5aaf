import { GatheredBytes } from '@posthaste/core'

/** The body of a response, kept up to a limit and counted beyond. */
export class ResponseBody {
  readonly #bytesMax: number
  #kept: GatheredBytes
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
    this.#kept = new GatheredBytes(bytesMax)
  }

  /** How long it is, kept or not. */
  get bytes(): number {
    return this.#bytes
  }

  get isTooLong(): boolean {
    return this.#bytes > this.#bytesMax
  }

  /** All of it, or nothing if it is too long. */
  get kept(): Buffer {
    return this.#kept.content
  }

  add(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (!this.isTooLong) this.#kept.add(chunk)
    else if (this.#kept.length > 0) this.#kept = new GatheredBytes(0)
  }
}
