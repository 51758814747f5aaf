import { statfsSync } from 'node:fs'
import { PosthasteError } from '@posthaste/core'

/** Room for more data, in bytes. */
export interface Room {
  /** Free on the disk, plus free pages inside the data file. */
  readonly freeBytes: number
  /** How much of that is kept back. */
  readonly reserveBytes: number
}

interface Stats {
  readonly [name: string]: unknown
}

const MEASURE_EVERY_MS = 250
/** How soon to measure again when the count says that there is no room. */
const MEASURE_AGAIN_MS = 20
/** Copy-on-write, page rounding and index pages: what a record may take on disk, as a multiple of its size. */
const WRITE_FACTOR = 4

/** Knows whether there is room for more without asking the disk each time: it counts down between two measurements. */
export class RoomGauge {
  readonly #directory: string
  readonly #reserveBytes: number
  readonly #environment: () => Stats
  readonly #tables = new Map<string, () => Stats>()
  #measuredAtMs = Number.NEGATIVE_INFINITY
  #leftBytes = 0

  constructor(directory: string, reserveBytes: number, environment: () => Stats) {
    this.#directory = directory
    this.#reserveBytes = reserveBytes
    this.#environment = environment
  }

  /** Counts the pages of a table as used: once, however often it is opened. */
  watch(name: string, table: () => Stats): void {
    this.#tables.set(name, table)
  }

  /** Takes room for `bytes` and returns true, or returns false if that would touch the reserve. */
  take(bytes: number): boolean {
    const need = bytes * WRITE_FACTOR
    const ageMs = performance.now() - this.#measuredAtMs
    if (ageMs > MEASURE_EVERY_MS || (need > this.#leftBytes && ageMs > MEASURE_AGAIN_MS)) this.measure()
    if (need > this.#leftBytes) return false
    this.#leftBytes -= need
    return true
  }

  /** Whether more than half of the reserve is used up. */
  isLow(): boolean {
    if (performance.now() - this.#measuredAtMs > MEASURE_EVERY_MS) this.measure()
    return this.#leftBytes < -this.#reserveBytes / 2
  }

  /** @throws PosthasteError `stream-unavailable` if the directory is gone */
  measure(): Room {
    const disk = this.#statDisk()
    const root = this.#environment()
    const pageBytes = Number(root.pageSize)
    const used = [root.root, root.free, ...[...this.#tables.values()].map((table) => table())]
    const usedPages = used.reduce<number>((sum, stats) => sum + pagesOf(stats as Stats), 0)
    const freeBytes = disk.bavail * disk.bsize + Math.max(0, Number(root.lastPageNumber) + 1 - usedPages) * pageBytes
    this.#measuredAtMs = performance.now()
    this.#leftBytes = freeBytes - this.#reserveBytes
    return { freeBytes, reserveBytes: this.#reserveBytes }
  }

  #statDisk(): { readonly bavail: number; readonly bsize: number } {
    try {
      return statfsSync(this.#directory)
    } catch (cause) {
      throw new PosthasteError('stream-unavailable', 'The data directory cannot be reached.', { cause })
    }
  }
}

function pagesOf(stats: Stats): number {
  return Number(stats.treeBranchPageCount) + Number(stats.treeLeafPageCount) + Number(stats.overflowPages)
}
