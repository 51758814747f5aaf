import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import { LIMITS, PosthasteError } from '@posthaste/core'
import type { FastifyInstance } from 'fastify'
import type { Bodies } from './bodies.js'
import { ANYONE } from './caller.js'
import { isNestedBeyond } from './json-depth.js'

const IGNORED_BYTES_MAX = 1_024

/** Has the routes of `app` take JSON. */
export function takeJson(app: FastifyInstance, bodies: Bodies, bytesMax: number): void {
  app.addContentTypeParser('application/json', ({ caller = ANYONE, headers, raw }, _, done) => {
    if (isEncoded(headers)) done(encoded())
    else
      bodies.read(raw, { tenant: caller.tenant, bytesMax }, (unread, body) => {
        const { error, value } = unread ? { error: unread } : readJson(body as Buffer)
        done(error, value)
      })
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

function readJson(body: Buffer): { error: Error | null; value?: unknown } {
  try {
    return { error: null, value: parseJson(body) }
  } catch (error) {
    return { error: error as Error }
  }
}

/** @throws PosthasteError if it cannot be read */
function parseJson(body: Buffer): unknown {
  // What is replaced while it is read would not be what the client sent.
  if (!isUtf8(body)) throw new PosthasteError('not-json', 'The request body is not UTF-8.')
  if (isNestedBeyond(body, LIMITS.jsonDepthMax))
    throw new PosthasteError('too-large', `The JSON has more than ${LIMITS.jsonDepthMax} levels.`)
  try {
    return JSON.parse(body.toString())
  } catch (error) {
    // The rest of what the parser says shows what was sent.
    const [where = ''] = / at position \d+/.exec((error as Error).message) ?? []
    throw new PosthasteError('not-json', `The request body is not JSON${where}.`)
  }
}

/** Nothing is unpacked here: what is small may become large. */
function isEncoded({ 'content-encoding': encoding = 'identity' }: IncomingHttpHeaders): boolean {
  return encoding.toLowerCase() !== 'identity'
}

function encoded(): PosthasteError {
  return new PosthasteError('unsupported-media-type', 'Send the request body as it is, without a Content-Encoding.')
}
