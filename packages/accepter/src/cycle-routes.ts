import { PosthasteError, parseDuration } from '@posthaste/core'
import type { FastifyInstance } from 'fastify'
import type { CycleDoor } from './accepter-options.js'

const WAIT_MS_DEFAULT = 1_000
const WAIT_MS_MAX = 60_000
const PING_BODY_BYTES_MAX = 1_024

/** `GET`, `HEAD` or `POST /cycle`: a ping, as health checks send them, that triggers the listener. */
export function cycleRoutes(door: CycleDoor) {
  return async (app: FastifyInstance): Promise<void> => {
    // A ping says nothing in its body, whatever it calls it.
    app.addHook('onRequest', async (request) => {
      delete request.headers['content-type']
    })
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: PING_BODY_BYTES_MAX }, async () => undefined)
    app.route<{ Querystring: { wait?: string | string[] } }>({
      method: ['GET', 'HEAD', 'POST'],
      url: '/cycle',
      handler: async (request, reply) => {
        const report = await door.ping(waitMsOf(request.query.wait))
        reply.code(report.drained ? 200 : 202).header('cache-control', 'no-store')
        return report
      },
    })
  }
}

function waitMsOf(text: string | string[] | undefined): number {
  if (text === undefined) return WAIT_MS_DEFAULT
  const ms = typeof text === 'string' ? parseDuration(text) : undefined
  if (ms === undefined || ms > WAIT_MS_MAX) {
    throw new PosthasteError(
      'invalid-duration',
      `wait: This must be a duration of up to ${WAIT_MS_MAX} ms, such as "1s".`,
    )
  }
  return ms
}
