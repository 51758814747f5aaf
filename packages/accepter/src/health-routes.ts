import { PosthasteError } from '@posthaste/core'
import type { Readiness } from './accepter-options.js'
import { OPERATIONS } from './operations.js'
import { sendProblem } from './problem.js'
import type { Routes } from './routes.js'

/** `/livez`: the process answers. `/readyz`: it can do its work, or 503 with the reasons. */
export function addHealthRoutes(routes: Routes, readiness: () => Promise<Readiness>): void {
  routes.add(OPERATIONS.getLiveness, (_, reply) => {
    reply.header('cache-control', 'no-store')
    return { status: 'alive' }
  })
  routes.add(OPERATIONS.getReadiness, async ({ caller }, reply) => {
    const { ready, ...all } = await readiness()
    // Why not may tell of brokers and disks.
    const found = caller.scopes.has('operate') ? all : { reasons: [] }
    reply.header('cache-control', 'no-store')
    if (ready) return { status: 'ready', ...found }
    return sendProblem(
      reply,
      new PosthasteError('not-ready', found.reasons.join(' ') || 'This process cannot do its work now.'),
      found,
    )
  })
}
