import { isUtf8 } from 'node:buffer'
import { PosthasteError } from '@posthaste/core'
import type { FastifyInstance } from 'fastify'

const IGNORED_BYTES_MAX = 1_024

/** Has the routes of `app` take JSON. */
export function takeJson(app: FastifyInstance, bytesMax: number): void {
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: bytesMax }, (_, body, done) => {
    try {
      done(null, parseJson(body as Buffer))
    } catch (error) {
      done(error as Error)
    }
  })
}

/** Has the routes of `app` pass over a small body, whatever it is called: it means nothing. */
export function takeNothing(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _, done) => {
    delete request.headers['content-type']
    done()
  })
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: IGNORED_BYTES_MAX }, (_, __, done) => done(null))
}

function parseJson(body: Buffer): unknown {
  // What is replaced while it is read would not be what the client sent.
  if (!isUtf8(body)) throw new PosthasteError('not-json', 'The request body is not UTF-8.')
  try {
    return JSON.parse(body.toString())
  } catch (error) {
    throw new PosthasteError('not-json', `The request body is not JSON: ${(error as Error).message}.`)
  }
}
