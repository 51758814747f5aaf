/** How long completed calls stay on their log: a view whose thread or process gets no processor for a while can read them. */
export const COMPLETED_KEPT_MS = 5_000
const MARK_EVERY_MS = 100

interface Mark {
  readonly atMs: number
  readonly offset: number
}

/** An offset that grows, and how far it had come `COMPLETED_KEPT_MS` ago: below that calls may be removed. */
export class KeptOffset {
  #offset = 0
  /** In order; the first one is old enough. */
  readonly #marks: Mark[] = [{ atMs: Number.NEGATIVE_INFINITY, offset: 0 }]

  get offset(): number {
    return this.#offset
  }

  moveTo(offset: number): void {
    this.#offset = offset
  }

  /** Where it was `COMPLETED_KEPT_MS` before, as far as it was asked for meanwhile. `nowMs` is by `performance.now`. */
  before(nowMs: number): number {
    const marks = this.#marks
    const last = marks.at(-1) as Mark
    if (last.offset < this.#offset && nowMs - last.atMs >= MARK_EVERY_MS)
      marks.push({ atMs: nowMs, offset: this.#offset })
    while ((marks[1]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs - COMPLETED_KEPT_MS) marks.shift()
    return (marks[0] as Mark).offset
  }
}
