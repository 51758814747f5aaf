import type { FastifyInstance } from 'fastify'
import type { Readiness } from './accepter-options.js'

/** `/livez`: the process answers. `/readyz`: it can do its work, or 503 with the reasons. */
export function healthRoutes(readiness: () => Promise<Readiness>) {
  return async (app: FastifyInstance): Promise<void> => {
    app.get('/livez', async (_, reply) => {
      reply.header('cache-control', 'no-store')
      return { status: 'alive' }
    })
    app.get('/readyz', async (_, reply) => {
      const { ready, reasons } = await readiness()
      reply.code(ready ? 200 : 503).header('cache-control', 'no-store')
      return { status: ready ? 'ready' : 'not ready', reasons }
    })
  }
}
