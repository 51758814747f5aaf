import type { FastifyReply } from 'fastify'
import type { ViewDoor } from './accepter-options.js'
import { Shares } from './share.js'

/**
 * The requests that wait for something to become of an invocation: so many at once, and none while the process stops. Each
 * tenant leaves as many places as he takes.
 */
export class Waits {
  readonly #places: Shares
  readonly #waiting = new Set<AbortController>()
  #isStopped = false

  constructor(placesMax: number) {
    this.#places = new Shares(placesMax)
  }

  /**
   * As `until` of `view`; it ends as well when the client has gone away or the process stops, and at once where there is no
   * place for him: what is known then is the answer.
   */
  async until<T>(
    view: ViewDoor,
    reply: FastifyReply,
    ask: () => T | undefined,
    timeoutMs: number,
  ): Promise<T | undefined> {
    const found = ask()
    if (found !== undefined || timeoutMs === 0 || reply.raw.destroyed) return found
    const tenant = reply.request.caller?.tenant ?? ''
    if (this.#isStopped || !this.#places.take(tenant)) return found
    const end = new AbortController()
    const onClose = (): void => end.abort()
    reply.raw.once('close', onClose)
    this.#waiting.add(end)
    try {
      return await view.until(ask, timeoutMs, end.signal)
    } finally {
      this.#waiting.delete(end)
      this.#places.giveBack(tenant)
      reply.raw.off('close', onClose)
    }
  }

  /** Does what may wait for up to `waitMs`, for the operator; where there is no place for him it may not. */
  async within<T>(waitMs: number, work: (waitMs: number) => Promise<T>): Promise<T> {
    if (waitMs === 0 || this.#isStopped || !this.#places.take('')) return work(0)
    try {
      return await work(waitMs)
    } finally {
      this.#places.giveBack('')
    }
  }

  stop(): void {
    this.#isStopped = true
    for (const end of this.#waiting) end.abort()
  }
}
