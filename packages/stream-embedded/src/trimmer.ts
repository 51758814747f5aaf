import { setTimeout as sleep } from 'node:timers/promises'
import { KeptOffset } from '@posthaste/stream'
import type { Transaction } from './completion.js'
import type { Batch } from './embedded-log.js'
import type { EmbeddedParts } from './parts.js'

/** Batches removed with whatever else is written: more than come to be completed by it, but for many small ones. */
const TRIM_WITH_MAX = 16
/** What is left is removed in transactions of its own, short ones: an append may wait for them. */
const TRIM_EVERY_MS = 50
const TRIM_BATCHES_MAX = 64
/** Of very many, this share at once, so that none pile up. */
const TRIM_SHARE = 8

/** Removes batches of calls that lie wholly below what has been committed on disk for a while. */
export class Trimmer {
  readonly #parts: EmbeddedParts
  /** Whether the calls are still ours to remove. For use inside `Environment.commit`. */
  readonly #mayTrimNow: () => boolean
  /** Batches that were read, or completed before, and are still there, in order. */
  #batches: Pick<Batch, 'base' | 'end'>[]
  readonly #committed = new KeptOffset()
  #trimming: Promise<void> | undefined
  #stopped = false

  constructor(parts: EmbeddedParts, committed: number, mayTrimNow: () => boolean) {
    this.#parts = parts
    this.#committed.moveTo(committed)
    this.#mayTrimNow = mayTrimNow
    this.#batches = parts.logs.calls.basesBelow(committed).map((base) => ({ base, end: base + 1 }))
  }

  /** How far all is completed on disk: what others are told, and below which records may be removed. */
  get committed(): number {
    return this.#committed.offset
  }

  moveTo(committed: number): void {
    this.#committed.moveTo(committed)
  }

  add({ base, end }: Batch): void {
    this.#batches.push({ base, end })
  }

  trimNow({ after }: Transaction, batchesMax = TRIM_WITH_MAX): void {
    const trimmable = this.#trimmable
    const count = Math.min(trimmable, Math.max(batchesMax, Math.ceil(trimmable / TRIM_SHARE)))
    const last = this.#batches[count - 1]
    if (!last) return
    this.#parts.logs.calls.removeNow(this.#batches.slice(0, count).map(({ base }) => base))
    after.push(() => {
      // Two of these may share a transaction: the second finds nothing left to drop.
      while ((this.#batches[0]?.base ?? Number.POSITIVE_INFINITY) <= last.base) this.#batches.shift()
    })
  }

  /** Removes what is left in the background, a little at a time. */
  start(): void {
    if (this.#trimming || this.#stopped || !this.#isLeft) return
    this.#trimming = this.#trimSome().catch((error: unknown) => {
      this.#parts.log.warn({ err: error }, 'completed calls cannot be removed now')
    })
  }

  /** Resolves when nothing is being removed any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#trimming
  }

  get #isLeft(): boolean {
    return (this.#batches[0]?.end ?? Number.POSITIVE_INFINITY) <= this.#committed.offset
  }

  /** How many batches may go. */
  get #trimmable(): number {
    const offset = this.#committed.before(performance.now())
    const first = this.#batches.findIndex(({ end }) => end > offset)
    return first < 0 ? this.#batches.length : first
  }

  async #trimSome(): Promise<void> {
    try {
      do {
        await sleep(TRIM_EVERY_MS)
        if (this.#trimmable === 0) continue
        const transaction = { nowMs: this.#parts.clock.now(), after: [] as (() => void)[] }
        await this.#parts.environment.commit(() => {
          if (!this.#stopped && this.#mayTrimNow()) this.trimNow(transaction, TRIM_BATCHES_MAX)
        })
        for (const change of transaction.after) change()
      } while (!this.#stopped && this.#isLeft)
    } finally {
      this.#trimming = undefined
    }
  }
}
