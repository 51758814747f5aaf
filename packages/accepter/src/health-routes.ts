import { PosthasteError } from '@posthaste/core'
import type { FastifyInstance } from 'fastify'
import type { Readiness } from './accepter-options.js'
import { sendProblem } from './problem.js'

/** `/livez`: the process answers. `/readyz`: it can do its work, or 503 with the reasons. */
export function healthRoutes(readiness: () => Promise<Readiness>) {
  return async (app: FastifyInstance): Promise<void> => {
    app.get('/livez', async (_, reply) => {
      reply.header('cache-control', 'no-store')
      return { status: 'alive' }
    })
    app.get('/readyz', async (_, reply) => {
      const { ready, ...found } = await readiness()
      reply.header('cache-control', 'no-store')
      if (ready) return { status: 'ready', ...found }
      return sendProblem(reply, new PosthasteError('not-ready', found.reasons.join(' ')), found)
    })
  }
}
