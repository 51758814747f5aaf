import { ID_PATTERN, type Invocation, idTimeMs, PosthasteError, type ShownSchedule } from '@posthaste/core'
import type { FastifyReply } from 'fastify'
import type { ViewDoor } from './accepter-options.js'
import type { Caller } from './caller.js'
import type { Intake } from './intake.js'
import type { Waits } from './waits.js'

/** An invocation is on the stream so long after the time in its id at the latest, as far as clocks are apart. */
const STORED_MS_MAX = 60_000
/** How old what is shown may be where something is changed by it. */
const FRESH_MS = 1_000
/** How long to wait for the view to be up to date. */
const CATCH_UP_MS_MAX = 2_000

const pattern = new RegExp(ID_PATTERN)

type What = 'invocation' | 'schedule'

/** What a request names, who asks, and when. What is of another tenant is to him as if it were not there. */
export interface Named {
  readonly id: string
  readonly caller: Pick<Caller, 'tenant'>
  readonly nowMs: number
}

/** The view as requests look at it: they name an invocation, and wait for what becomes of it. */
export class Lookup {
  readonly view: ViewDoor
  readonly #waits: Waits
  readonly #intake: Pick<Intake, 'durableMs' | 'timeoutMs'> | undefined

  /** `intake` is by which this process adds to what the view follows. */
  constructor(view: ViewDoor, waits: Waits, intake?: Pick<Intake, 'durableMs' | 'timeoutMs'>) {
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
   * What is known of an invocation. One that the view may not have read of yet is waited for until that is up to date.
   * @throws PosthasteError `not-found`, or `view-behind` if it may be there all the same
   */
  find(asked: Named, reply: FastifyReply): Promise<Invocation> {
    return this.#find(asked, reply, 'invocation', (id, tenant) => this.view.get(id, tenant))
  }

  /** The same of a schedule. @throws PosthasteError */
  async findSchedule(asked: Named, reply: FastifyReply): Promise<ShownSchedule> {
    const shown = await this.#find(asked, reply, 'schedule', (id, tenant) => this.view.schedule(id, tenant))
    if (shown.state === 'deleted') throw unknown('schedule', asked.id)
    return shown
  }

  /**
   * As `find`, for who changes something by what is shown: that is so, or was a moment ago.
   * @throws PosthasteError as `find`, also if the view does not catch up
   */
  async findFresh(asked: Named, reply: FastifyReply): Promise<Invocation> {
    const found = await this.find(asked, reply)
    await this.upTo(performance.now() - FRESH_MS, reply)
    return this.view.get(asked.id, asked.caller.tenant) ?? found
  }

  /** Waits until the view is complete up to a time, by `performance.now()`. @throws PosthasteError `view-behind` */
  async upTo(ms: number, reply: FastifyReply): Promise<void> {
    const isSo = (): true | undefined => (this.view.asOfMs() >= ms ? true : undefined)
    if (await this.until(reply, isSo, this.#intake?.timeoutMs ?? CATCH_UP_MS_MAX)) return
    throw new PosthasteError('view-behind', 'What became of it since is not known here yet.')
  }

  async #find<T>(
    { caller, id, nowMs }: Named,
    reply: FastifyReply,
    what: What,
    get: (id: string, tenant: string) => T | undefined,
  ): Promise<T> {
    if (!pattern.test(id)) throw unknown(what, id)
    const known = get(id, caller.tenant)
    if (known) return known
    const sinceMs = performance.now()
    const shownUpToMs = nowMs - (sinceMs - this.view.asOfMs())
    if ((idTimeMs(id) ?? Number.NEGATIVE_INFINITY) + STORED_MS_MAX < shownUpToMs) throw unknown(what, id)
    const found = await this.until(
      reply,
      () => get(id, caller.tenant) ?? (this.view.asOfMs() >= sinceMs ? unknown(what, id) : undefined),
      CATCH_UP_MS_MAX,
    )
    if (found === undefined)
      throw new PosthasteError('view-behind', `This ${what} may have been accepted; the view does not show it yet.`)
    if (found instanceof PosthasteError) throw found
    return found
  }
}

function unknown(what: What, id: string): PosthasteError {
  return new PosthasteError('not-found', `There is no ${what} "${id}", or nothing of it is kept any more.`)
}
