import { formatInstant, type Invocation, isFinalState, PosthasteError } from '@posthaste/core'
import type { Directives } from './directives.js'
import { documentOf } from './invocation-document.js'
import type { Lookup } from './lookup.js'
import { OPERATIONS } from './operations.js'
import type { Routes } from './routes.js'

export const CHANGE_WAIT_MS = 5_000

/** Asks for an invocation to be made no more, and waits until it is known that it is not. */
export function addCancelRoutes(routes: Routes, lookup: Lookup, directives: Directives): void {
  const { view } = lookup
  routes.add(OPERATIONS.cancelInvocation, async (asked, reply) => {
    const { generation, id } = await lookup.find(asked, reply)
    const draft = directives.draft({ id, tenant: asked.caller.tenant }, 'cancel')?.directive
    // Asked twice is asked once.
    const directive = draft && (directives.cancellationOf(draft) ?? draft)
    if (directive && !directive.isDone) await directives.append([directive])
    const ended = (): Invocation | undefined => endOf(view.get(id), directive?.generation ?? generation)
    const until = () => lookup.until(reply, ended, asked.query.wait ?? CHANGE_WAIT_MS)
    const end = await (directive ? directives.upholdUntil(directive, until) : until())
    if (!end) return reply.code(202).send({ id, state: 'cancelling' })
    if (end.state === 'cancelled') return documentOf(end)
    throw new PosthasteError('already-ended', howItEnded(end))
  })
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
