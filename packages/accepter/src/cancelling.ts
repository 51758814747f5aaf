import { formatInstant, type Invocation, isFinalState, PosthasteError } from '@posthaste/core'
import type { FastifyReply } from 'fastify'
import type { Directives } from './directives.js'
import type { Lookup, Named } from './lookup.js'

/** Asks for invocations to be made no more. */
export class Cancelling {
  readonly #lookup: Lookup
  readonly #directives: Directives

  constructor(lookup: Lookup, directives: Directives) {
    this.#lookup = lookup
    this.#directives = directives
  }

  /**
   * Resolves once it is known that no call is made any more, or with undefined after `waitMs`: then it is being cancelled.
   * @throws PosthasteError `not-found`, `already-ended`, `view-behind`, or of the stream
   */
  async cancel(named: Named, waitMs: number, reply: FastifyReply): Promise<Invocation | undefined> {
    const { view } = this.#lookup
    const { generation, id } = await this.#lookup.find(named, reply)
    const draft = this.#directives.draft({ id, tenant: named.caller.tenant }, 'cancel')?.directive
    // Asked twice is asked once.
    const directive = draft && (this.#directives.cancellationOf(draft) ?? draft)
    if (directive && !directive.isDone) await this.#directives.append([directive])
    const ended = (): Invocation | undefined => endOf(view.get(id), directive?.generation ?? generation)
    const until = () => this.#lookup.until(reply, ended, waitMs)
    const end = await (directive ? this.#directives.upholdUntil(directive, until) : until())
    if (!end || end.state === 'cancelled') return end
    throw new PosthasteError('already-ended', howItEnded(end))
  }
}

/** An invocation once a generation of it has ended. */
function endOf(invocation: Invocation | undefined, generation: number): Invocation | undefined {
  if (!invocation) return undefined
  return isFinalState(invocation.state) || invocation.generation > generation ? invocation : undefined
}

function howItEnded({ endedAtMs = 0, generation, state }: Invocation): string {
  if (isFinalState(state)) return `It ended as ${state} at ${formatInstant(endedAtMs)}.`
  return `It had ended; since then it was redriven, as generation ${generation}.`
}
