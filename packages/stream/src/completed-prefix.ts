import type { OffsetRange } from '@posthaste/core'

/**
 * Tracks which records of a partition are completed, in whatever order they complete. `committed` is the offset below
 * which all are; `beyond` holds what is completed above it, as sorted ranges that neither touch nor overlap.
 *
 * Ranges are looked up by binary search; their number is bounded by the caller's window of uncompleted records.
 */
export class CompletedPrefix {
  #committed: number
  #ranges: [number, number][]

  constructor(committed: number, beyond: readonly OffsetRange[] = []) {
    this.#committed = committed
    this.#ranges = []
    for (const [from, to] of beyond) this.complete(from, to)
  }

  get committed(): number {
    return this.#committed
  }

  get beyond(): readonly OffsetRange[] {
    return this.#ranges
  }

  isCompleted(offset: number): boolean {
    if (offset < this.#committed) return true
    const range = this.#ranges[this.#firstEndingAfter(offset)]
    return range !== undefined && range[0] <= offset
  }

  /** Marks `[from, to)` completed. Repeating it, or overlapping what is completed, changes nothing more. */
  complete(from: number, to = from + 1): void {
    if (to <= this.#committed || to <= from) return
    const ranges = this.#ranges
    // Everything that touches [from, to) becomes one range.
    const first = this.#firstEndingAfter(from - 1)
    let next = first
    let low = from
    let high = to
    for (let range = ranges[next]; range !== undefined && range[0] <= to; range = ranges[next]) {
      low = Math.min(low, range[0])
      high = Math.max(high, range[1])
      next += 1
    }
    if (low <= this.#committed) {
      this.#committed = Math.max(this.#committed, high)
      ranges.splice(0, next)
    } else if (next - first === 1) {
      ranges[first] = [low, high]
    } else {
      ranges.splice(first, next - first, [low, high])
    }
  }

  /** Index of the first range whose end is above `offset`. */
  #firstEndingAfter(offset: number): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ranges[middle] as [number, number])[1] <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
