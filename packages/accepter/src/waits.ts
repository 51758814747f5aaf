import type { FastifyReply } from 'fastify'
import type { ViewDoor } from './accepter-options.js'

/** The requests that wait for something to become of an invocation: so many at once, and none while the process stops. */
export class Waits {
  readonly #placesMax: number
  readonly #waiting = new Set<AbortController>()
  #isStopped = false

  constructor(placesMax: number) {
    this.#placesMax = placesMax
  }

  /**
   * As `until` of `view`; it ends as well when the client has gone away or the process stops, and at once where all places
   * are taken: what is known then is the answer.
   */
  async until<T>(
    view: ViewDoor,
    reply: FastifyReply,
    ask: () => T | undefined,
    timeoutMs: number,
  ): Promise<T | undefined> {
    const found = ask()
    if (found !== undefined || timeoutMs === 0 || reply.raw.destroyed) return found
    if (this.#isStopped || this.#waiting.size >= this.#placesMax) return found
    const end = new AbortController()
    const onClose = (): void => end.abort()
    reply.raw.once('close', onClose)
    this.#waiting.add(end)
    try {
      return await view.until(ask, timeoutMs, end.signal)
    } finally {
      this.#waiting.delete(end)
      reply.raw.off('close', onClose)
    }
  }

  stop(): void {
    this.#isStopped = true
    for (const end of this.#waiting) end.abort()
  }
}
