import type { Cancelling } from './cancelling.js'
import { documentOf } from './invocation-document.js'
import { OPERATIONS } from './operations.js'
import type { Routes } from './routes.js'

export const CHANGE_WAIT_MS = 5_000

/** Asks for an invocation to be made no more, and waits until it is known that it is not. */
export function addCancelRoutes(routes: Routes, cancelling: Cancelling): void {
  routes.add(OPERATIONS.cancelInvocation, async (asked, reply) => {
    const end = await cancelling.cancel(asked, asked.query.wait ?? CHANGE_WAIT_MS, reply)
    return end ? documentOf(end) : reply.code(202).send({ id: asked.id, state: 'cancelling' })
  })
}
