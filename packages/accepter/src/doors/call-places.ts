import { LIMITS, type NamedFunction, PosthasteError } from '@posthaste/core'
import { requestLimit } from '../caller.js'
import { RequestRates } from '../request-rates.js'
import { Shares } from '../share.js'

/** What may be called at once: as each function says itself, and no more than this process can hold open, and in memory. */
export class CallPlaces {
  readonly #places = new Shares(LIMITS.functionCallsMax)
  readonly #bytes = new Shares(LIMITS.bodiesBytesMax)
  readonly #rates = new RequestRates()

  /**
   * Takes a place for a call, and for so many bytes of its body that had to be read before. Returns what gives them back.
   * @throws PosthasteError `overloaded` if there is none
   */
  take({ limits = {}, name }: NamedFunction, bytes = 0): () => void {
    const { burst, concurrency = Number.POSITIVE_INFINITY, requestsPerSecond } = limits
    if (this.#places.of(name) >= concurrency) throw tooMuch(name)
    const rate = requestsPerSecond === undefined ? undefined : requestLimit(requestsPerSecond, burst)
    if (rate && this.#rates.take(name, rate, performance.now()).taken === 0) throw tooMuch(name)
    if (!this.#places.take(name)) throw tooMuch(name)
    if (bytes > 0 && !this.#bytes.take(name, bytes)) {
      this.#places.giveBack(name)
      throw tooMuch(name)
    }
    return () => {
      this.#places.giveBack(name)
      this.#bytes.giveBack(name, bytes)
    }
  }
}

function tooMuch(name: string): PosthasteError {
  return new PosthasteError('overloaded', `"${name}" is called as much as it may be; come again in a moment.`)
}
