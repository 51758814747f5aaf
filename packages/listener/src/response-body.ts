const GROWN_BYTES_MIN = 4_096
const NOTHING = Buffer.alloc(0)

/**
 * The body of a response, kept up to a limit and counted beyond. It is copied to one buffer that grows: kept as they
 * come, many tiny chunks would take a hundred times the memory of what is in them.
 */
export class ResponseBody {
  readonly #bytesMax: number
  #buffer = NOTHING
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
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
    if (this.isTooLong) return NOTHING
    return this.#bytes === this.#buffer.length ? this.#buffer : this.#buffer.subarray(0, this.#bytes)
  }

  add(chunk: Buffer): void {
    const at = this.#bytes
    this.#bytes += chunk.length
    if (this.isTooLong) {
      this.#buffer = NOTHING
      return
    }
    if (this.#bytes > this.#buffer.length) this.#grow(at)
    chunk.copy(this.#buffer, at)
  }

  #grow(used: number): void {
    // Most bodies come whole: room for more is made when there is more.
    const bytes = used === 0 ? this.#bytes : Math.min(this.#bytesMax, Math.max(this.#bytes, 2 * used, GROWN_BYTES_MIN))
    const buffer = Buffer.allocUnsafe(bytes)
    this.#buffer.copy(buffer, 0, 0, used)
    this.#buffer = buffer
  }
}
