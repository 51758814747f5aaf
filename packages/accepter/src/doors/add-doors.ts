import { type Clock, ERRORS, type ErrorCode, type Log, PosthasteError } from '@posthaste/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Bodies } from '../bodies.js'
import { unreadable } from '../broken-request.js'
import { ANYONE, type Credentials } from '../caller.js'
import { isForeignFetch } from '../foreign-page.js'
import type { Gate } from '../gate.js'
import { asAnswer, retryAfterOf } from '../problem.js'
import { Refusals } from '../refusals.js'
import { failPlainly } from './direct.js'
import { type DoorAnswer, STREAMED, type Streamed } from './door.js'
import { Entrance } from './entrance.js'
import type { House } from './house.js'
import { METHODS, type Router, type Way } from './router.js'
import { SignedRequest } from './signatures/signed-request.js'
import { signatureOf, signerOf } from './signatures/signer.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The door that it is for, once that is known. */
    way?: Way
  }
}

export interface DoorParts {
  readonly router: Router
  readonly house: House
  readonly gate: Gate | undefined
  readonly bodies: Bodies
  readonly log: Log
  readonly clock: Clock
  /** Hears of every request that is answered with an error. */
  readonly onRefused?: ((code: ErrorCode) => void) | undefined
}

const WHERE = 'doors'
const NO_WAY: Pick<Way, 'door' | 'path'> = { door: { fail: failPlainly }, path: '' }

/** Answers a request with an error as its door says it, or as we do where it is for none. */
export type RefuseAtDoor = (error: unknown, request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Has `app` take what is for doors at all paths that are not ours. Returns what refuses a request that never comes there. */
export function addDoors(
  app: FastifyInstance,
  { bodies, clock, gate, house, log, onRefused, router }: DoorParts,
): RefuseAtDoor {
  const taken = gate ? ['authorization'] : []
  const refusals = new Refusals(log)
  app.addHook('onClose', async () => refusals.stop())
  app.decorateRequest('way', undefined)
  app.decorateRequest('bodyRead', undefined)
  // Bodies are passed on as they come, or read by who wants them whole.
  app.addContentTypeParser('*', (_, payload, done) => done(null, payload))
  const wayOf = (request: FastifyRequest): Way | undefined => {
    const [path = ''] = request.url.split('?', 1)
    return router.find({ method: request.method, path, headers: request.headers })
  }
  app.addHook('onRequest', (request, reply, done) => {
    const way = wayOf(request)
    if (!way) return void reply.callNotFound()
    request.way = way
    // No request has a fragment (RFC 9112 section 3.2): nothing would have looked at what stands there.
    if (request.url.includes('#')) return done(unreadable())
    // What is no type would be refused before any parser; it passes on as it came, as all headers do.
    if (request.mediaType === undefined) delete request.headers['content-type']
    const signature = signatureOf(request.headers, way.signatures)
    const signer =
      signature &&
      (async (credentials: Credentials) => {
        const signed = new SignedRequest(request.raw, way.path, router.mustSign(signature))
        return signerOf(request, signature.read(signed, clock.now()), credentials, bodies)
      })
    if (gate) gate.check({ ...way, signer }, request, reply, done)
    else done(isForeignFetch(request.headers) ? foreign() : undefined)
  })
  const refuse: RefuseAtDoor = async (error, request, reply) => {
    const known = asAnswer(error) ?? failed(log, error, request)
    onRefused?.(known.code)
    const { status } = ERRORS[known.code]
    if (status === 503) refusals.refused(WHERE, known)
    const retryAfter = retryAfterOf(known)
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
    // It may have failed before that was known.
    const { door, path } = request.way ?? wayOf(request) ?? NO_WAY
    await send(reply, door.fail(known, status, path))
  }
  app.setErrorHandler(refuse)
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const way = request.way as Way
    const { caller = ANYONE } = request
    const { headers: signed = [] } = (gate && signatureOf(request.headers, way.signatures)) ?? {}
    const parts = { bodies, caller, nowMs: clock.now(), path: way.path, taken: [...taken, ...signed] }
    const entrance = new Entrance(request, reply, parts)
    const answer = await way.handle(entrance, house)
    refusals.taken(WHERE)
    return send(reply, answer)
  }
  app.route({ method: [...METHODS], url: '/*', handler, exposeHeadRoute: false })
  return refuse
}

function foreign(): PosthasteError {
  return new PosthasteError('forbidden', 'A page of another site may not ask. Where tokens are configured it may.')
}

async function send(reply: FastifyReply, answer: DoorAnswer | Streamed): Promise<FastifyReply> {
  if (answer === STREAMED) return reply
  const { body, headers = {}, status } = answer
  reply.code(status).headers(headers)
  // Of nothing there is no type.
  if (body === undefined) return reply.send()
  const isObject = typeof body === 'object' && !(body instanceof Uint8Array)
  if (isObject && !reply.hasHeader('content-type')) reply.header('content-type', 'application/json')
  return reply.send(Buffer.from(isObject ? JSON.stringify(body) : body))
}

function failed(log: Log, error: unknown, { method, way }: FastifyRequest): PosthasteError {
  log.error({ err: error, method, path: way?.path }, 'a request failed')
  return new PosthasteError('internal', 'The request failed; the log of this process says more.')
}
