const GROWN_BYTES_MIN = 4_096
const NOTHING = Buffer.alloc(0)

/**
 * Bytes that come in parts, copied to one buffer that grows: kept as they come, many tiny parts would take a hundred times
 * the memory of what is in them.
 */
export class GatheredBytes {
  readonly #max: number
  #buffer = NOTHING
  #length = 0

  /** There will not be more than `max`: nothing is kept ready beyond it. */
  constructor(max: number) {
    this.#max = max
  }

  get length(): number {
    return this.#length
  }

  /** All that came. */
  get content(): Buffer {
    return this.#length === this.#buffer.length ? this.#buffer : this.#buffer.subarray(0, this.#length)
  }

  add(part: Buffer): void {
    const length = this.#length + part.length
    if (length > this.#buffer.length) this.#grow(length)
    part.copy(this.#buffer, this.#length)
    this.#length = length
  }

  #grow(needed: number): void {
    // Most come whole: room for more is made when there is more.
    const isFirst = this.#length === 0
    const grown = isFirst ? needed : Math.max(needed, Math.min(this.#max, Math.max(2 * this.#length, GROWN_BYTES_MIN)))
    const buffer = Buffer.allocUnsafe(grown)
    this.#buffer.copy(buffer, 0, 0, this.#length)
    this.#buffer = buffer
  }
}
