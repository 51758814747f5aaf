import { LIMITS } from '@posthaste/core'
import { type buildConnector, Pool } from 'undici'

/** What connections lead to: a function is at an origin of its own, today here and tomorrow there. */
export interface Place {
  readonly origin: string
  /** How many there are at the most. */
  readonly width: number
}

/** The connections of a target to where it is now. Those to where it was end with what runs on them. */
export class Connections {
  #pool: Pool | undefined
  #place: Place | undefined
  /** Those that end when nothing runs on them any more. */
  readonly #retired = new Set<Pool>()

  /** Whether there may be any. */
  get areOpen(): boolean {
    return this.#pool !== undefined
  }

  poolOf(place: Place, connectorOf: (origin: string) => buildConnector.connector): Pool {
    const { origin, width } = place
    if (origin !== this.#place?.origin || width !== this.#place.width) this.#retire()
    this.#place = place
    this.#pool ??= new Pool(origin, {
      connections: width,
      pipelining: 1,
      maxHeaderSize: LIMITS.responseHeadBytesMax,
      // Our own deadline covers the whole call; undici's are coarse.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: connectorOf(origin),
    })
    return this.#pool
  }

  #retire(): void {
    const pool = this.#pool
    this.#pool = undefined
    if (!pool) return
    this.#retired.add(pool)
    const forget = (): void => void this.#retired.delete(pool)
    pool.close().then(forget, forget)
  }

  /** Cuts them. The next call opens new ones. */
  async close(): Promise<void> {
    const pools = [...this.#retired, ...(this.#pool ? [this.#pool] : [])]
    this.#pool = undefined
    await Promise.all(pools.map((pool) => pool.destroy()))
  }
}
