import type { Activity } from '@posthaste/accepter'
import type { InvocationCounts } from '@posthaste/core'

const LOOK_EVERY_MS = 5_000
const WINDOW_MS = 60_000

type Totals = Pick<InvocationCounts, 'accepted' | 'ended'>

interface Look extends Totals {
  readonly atMs: number
}

/** Knows how much came and ended over the last minute, from totals that it looks at now and then. */
export class Rates {
  readonly #totals: () => Totals
  readonly #timer: NodeJS.Timeout
  #looks: readonly Look[] = []

  constructor(totals: () => Totals) {
    this.#totals = totals
    this.#look()
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
  }

  now(): Activity['rates'] {
    const last = this.#look()
    const first = this.#looks[0] as Look
    const seconds = Math.max(1, (last.atMs - first.atMs) / 1_000)
    return {
      acceptedPerSecond: (last.accepted - first.accepted) / seconds,
      endedPerSecond: (last.ended - first.ended) / seconds,
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): Look {
    const { accepted, ended } = this.#totals()
    const look = { atMs: performance.now(), accepted, ended }
    const kept = this.#looks.filter(({ atMs }) => atMs > look.atMs - WINDOW_MS)
    // A view that was emptied counts from nothing again.
    this.#looks = kept.some((one) => one.accepted > accepted) ? [look] : [...kept, look]
    return look
  }
}
