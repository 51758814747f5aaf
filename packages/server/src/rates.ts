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
  #looks: readonly Look[]

  constructor(totals: () => Totals) {
    this.#totals = totals
    this.#looks = [this.#look()]
    this.#timer = setInterval(() => this.#keep(this.#look()), LOOK_EVERY_MS).unref()
  }

  now(): Activity['rates'] {
    const last = this.#look()
    const [first = last] = this.#looks.filter((look) => precedes(look, last))
    const seconds = Math.max(1, (last.atMs - first.atMs) / 1_000)
    return {
      acceptedPerSecond: (last.accepted - first.accepted) / seconds,
      endedPerSecond: (last.ended - first.ended) / seconds,
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #keep(look: Look): void {
    const kept = this.#looks.filter((one) => one.atMs > look.atMs - WINDOW_MS && precedes(one, look))
    this.#looks = [...kept, look]
  }

  #look(): Look {
    const { accepted, ended } = this.#totals()
    return { atMs: performance.now(), accepted, ended }
  }
}

/** A view that was emptied counts from nothing again: what it counted before is of no use then. */
function precedes(look: Totals, later: Totals): boolean {
  return look.accepted <= later.accepted && look.ended <= later.ended
}
