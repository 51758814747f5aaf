import { PosthasteError } from '@posthaste/core'
import type { ViewDoor } from './accepter-options.js'
import type { Caller } from './caller.js'

/** What is stored within this time is remembered together. */
const GRAIN_MS = 100

/** What was sent for a tenant and the view may not show yet. */
interface Unshown {
  /** On its way to the stream. */
  writing: number
  /** Stored by this time of `performance.now()`, or never. */
  readonly stored: { count: number; readonly fromMs: number; toMs: number }[]
}

/**
 * Sees to it that no more of a tenant is open than its caller may have: by what the view shows, and what this process has
 * sent since. What others send at the same moment may come on top.
 */
export class OpenLimit {
  readonly #view: Pick<ViewDoor, 'asOfMs' | 'openOf'> | undefined
  readonly #byTenant = new Map<string, Unshown>()

  constructor(view: Pick<ViewDoor, 'asOfMs' | 'openOf'> | undefined) {
    this.#view = view
  }

  /** How many more a caller may have open now. @throws PosthasteError `view-behind` if that cannot be told */
  roomOf({ openMax, tenant }: Caller): number {
    if (openMax === undefined) return Number.POSITIVE_INFINITY
    if (!this.#view)
      throw new PosthasteError('view-behind', 'This process has no view, where open invocations are counted.')
    return Math.max(0, openMax - this.#view.openOf(tenant) - this.#unshownOf(tenant))
  }

  /** Does what opens so many more, if a caller may. @throws PosthasteError `too-many-open` */
  async opening<T>(caller: Caller, count: number, open: () => Promise<T>): Promise<T> {
    if (caller.openMax === undefined || count === 0) return open()
    if (this.roomOf(caller) < count) throw tooManyOpen(caller)
    const unshown = this.#byTenant.get(caller.tenant) ?? { writing: 0, stored: [] }
    this.#byTenant.set(caller.tenant, unshown)
    unshown.writing += count
    try {
      return await open()
    } finally {
      // Also what failed may have been stored.
      unshown.writing -= count
      keep(unshown, count, performance.now())
    }
  }

  #unshownOf(tenant: string): number {
    const unshown = this.#byTenant.get(tenant)
    if (!unshown) return 0
    const asOfMs = this.#view?.asOfMs() ?? Number.NEGATIVE_INFINITY
    const { stored, writing } = unshown
    while (stored[0] && stored[0].toMs <= asOfMs) stored.shift()
    if (writing === 0 && stored.length === 0) this.#byTenant.delete(tenant)
    return stored.reduce((sum, { count }) => sum + count, writing)
  }
}

export function tooManyOpen({ openMax }: Caller): PosthasteError {
  return new PosthasteError(
    'too-many-open',
    `${openMax} are the limit of what may be open; come again when some have ended.`,
  )
}

function keep({ stored }: Unshown, count: number, nowMs: number): void {
  const last = stored.at(-1)
  if (!last || nowMs - last.fromMs >= GRAIN_MS) stored.push({ count, fromMs: nowMs, toMs: nowMs })
  else {
    last.count += count
    last.toMs = nowMs
  }
}
