import { ID_PATTERN, type Invocation, idTimeMs, PosthasteError } from '@posthaste/core'
import type { FastifyReply } from 'fastify'
import type { ViewDoor } from './accepter-options.js'
import type { Intake } from './intake.js'
import type { Waits } from './waits.js'

/** An id that is older was on the stream before: whoever does not show it by now does not know it. */
const YOUNG_MS = 60_000
/** How long to wait for the view to be up to date. */
const CATCH_UP_MS_MAX = 2_000

const pattern = new RegExp(ID_PATTERN)

/** The view as requests look at it: they name an invocation, and wait for what becomes of it. */
export class Lookup {
  readonly view: ViewDoor
  readonly #waits: Waits
  readonly #intake: Pick<Intake, 'durableMs'> | undefined

  /** `intake` is by which this process adds to what the view follows. */
  constructor(view: ViewDoor, waits: Waits, intake?: Pick<Intake, 'durableMs'>) {
    this.view = view
    this.#waits = waits
    this.#intake = intake
  }

  /** As `until` of the view, within the limits of `Waits`. */
  until<T>(reply: FastifyReply, ask: () => T | undefined, timeoutMs: number): Promise<T | undefined> {
    return this.#waits.until(this.view, reply, ask, timeoutMs)
  }

  /** Waits a moment until the view has all that this process has stored: whoever lists what he sent finds it. */
  async catchUp(reply: FastifyReply): Promise<void> {
    const durableMs = this.#intake?.durableMs ?? Number.NEGATIVE_INFINITY
    await this.until(reply, () => (this.view.asOfMs() >= durableMs ? true : undefined), CATCH_UP_MS_MAX)
  }

  /**
   * What is known of an invocation. One that another accepter may have taken just now is waited for until this view is up to
   * date.
   * @throws PosthasteError `not-found`, or `view-behind` if it may be there all the same
   */
  async find(asked: { readonly id: string; readonly nowMs: number }, reply: FastifyReply): Promise<Invocation> {
    const { id, nowMs } = asked
    const known = pattern.test(id) ? this.view.get(id) : undefined
    if (known) return known
    if ((idTimeMs(id) ?? Number.NEGATIVE_INFINITY) < nowMs - YOUNG_MS) throw unknown(id)
    const sinceMs = performance.now()
    const found = await this.until(
      reply,
      () => this.view.get(id) ?? (this.view.asOfMs() >= sinceMs ? unknown(id) : undefined),
      CATCH_UP_MS_MAX,
    )
    if (found === undefined)
      throw new PosthasteError('view-behind', 'This invocation may have been accepted just now; it is not shown yet.')
    if (found instanceof PosthasteError) throw found
    return found
  }
}

function unknown(id: string): PosthasteError {
  return new PosthasteError('not-found', `There is no invocation "${id}", or nothing of it is kept any more.`)
}
