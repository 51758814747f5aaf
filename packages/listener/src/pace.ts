/** Counts for this many bytes whatever its size: it is the chunks that cost. */
const CHUNK_BYTES_MIN = 512

/** A pace, in bytes a second, that all who read what is of no use share, so that it leaves time for what is. */
export class Pace {
  readonly #bytesPerMs: number
  #untilMs = 0

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1_000
  }

  /** Takes note of a chunk and returns for how many milliseconds its reader is to wait. */
  waitMs(chunkBytes: number, nowMs: number): number {
    this.#untilMs = Math.max(this.#untilMs, nowMs) + Math.max(chunkBytes, CHUNK_BYTES_MIN) / this.#bytesPerMs
    return this.#untilMs - nowMs
  }
}
