import { timingSafeEqual } from 'node:crypto'
import { hashToken, type Log, PosthasteError } from '@posthaste/core'
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { type Caller, type Credentials, NOBODY, PINGER } from './caller.js'
import { isForeignFetch, isForeignPage } from './foreign-page.js'
import type { Operation } from './operation.js'
import { Refusals } from './refusals.js'
import { RequestRates, rateLimited } from './request-rates.js'
import { Unauthenticated } from './unauthenticated.js'

/** What a health check may show instead of a token, for `/cycle` alone. */
export const PING_KEY_PARAMETER = 'key'
export const PING_KEY_HEADER = 'Posthaste-Ping-Key'

/** Whoever is not known asks again and again: a line a minute is enough. */
const QUIET_MS = 60_000
const WHERE = 'tokens'
const TOKEN = /^[\w.~+/=-]+$/

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, once that is known. */
    caller?: Caller
  }
}

export interface GateOptions {
  readonly credentials: Credentials
  readonly pingSecret?: string
  readonly log: Log
}

interface Guarded extends Pick<Operation, 'scope' | 'takesPingKey'> {
  /** Whether the token may be a parameter `token`, for who can set nothing but a URL. */
  readonly takesTokenInQuery?: boolean
  /** Who signed the request, if it is signed. */
  readonly signer?: ((credentials: Credentials) => Promise<Caller>) | undefined
}

/** Lets in who may ask, before anything of what he sends is read. */
export class Gate {
  readonly #credentials: Credentials
  readonly #pingHash: Buffer | undefined
  readonly #rates = new RequestRates()
  readonly #refusals: Refusals

  constructor({ credentials, log, pingSecret }: GateOptions) {
    this.#credentials = credentials
    this.#pingHash = pingSecret === undefined ? undefined : hashToken(pingSecret)
    this.#refusals = new Refusals(log, QUIET_MS)
  }

  /** What a route does with each request first. */
  hookFor(operation: Guarded): onRequestHookHandler {
    return (request, reply, done) => this.check(operation, request, reply, done)
  }

  /** Calls `done` with the reason if a request may not be made. */
  check(what: Guarded, request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
    const answer = (caller: Caller | undefined): void => done(this.#admit(what, caller, request, reply))
    const found = this.#find(what, request)
    if (!(found instanceof Promise)) answer(found)
    // What is open is so for whoever it may be.
    else found.then(answer, (error: Error) => (what.scope === 'open' ? answer(undefined) : done(this.#told(error))))
  }

  /** Counts what a request asks for besides itself, as far as who asks may; returns how much of it that is. */
  countMore({ caller = NOBODY }: FastifyRequest, reply: FastifyReply, count: number): number {
    return this.#count(caller, reply, count)
  }

  stop(): void {
    this.#refusals.stop()
  }

  #find(what: Guarded, request: FastifyRequest): ReturnType<Credentials['callerOf']> {
    const key = what.takesPingKey && pingKeyOf(request)
    if (typeof key === 'string' && this.#isPingSecret(key)) return PINGER
    if (what.signer) return what.signer(this.#credentials)
    const token = tokenOf(what, request)
    return token === undefined ? undefined : this.#credentials.callerOf(token)
  }

  #isPingSecret(key: string): boolean {
    return this.#pingHash !== undefined && timingSafeEqual(hashToken(key), this.#pingHash)
  }

  /** Why not, if he may not. */
  #admit(what: Guarded, caller: Caller | undefined, request: FastifyRequest, reply: FastifyReply) {
    const { scope } = what
    request.caller = caller ?? NOBODY
    if (scope === 'open') return undefined
    if (!caller) return this.#refuse(unauthenticated(what, request, reply))
    if (this.#count(caller, reply, 1) === 0) return this.#refuse(rateLimited(caller))
    this.#refusals.taken(WHERE)
    if (caller.scopes.has(scope)) return undefined
    reply.header('www-authenticate', `Bearer realm="posthaste", error="insufficient_scope", scope="${scope}"`)
    return new PosthasteError('forbidden', `This needs the scope "${scope}".`)
  }

  /** How many of so many requests he may ask now. */
  #count({ limit, name }: Caller, reply: FastifyReply, wanted: number): number {
    if (!limit || wanted === 0) return wanted
    const { burst, requestsPerSecond } = limit
    const { fullAfterMs, nextAfterMs, remaining, taken } = this.#rates.take(name, limit, performance.now(), wanted)
    // As draft-ietf-httpapi-ratelimit-headers-10 has them.
    reply.header('ratelimit-policy', `"requests";q=${burst};w=${Math.ceil(burst / requestsPerSecond)}`)
    reply.header('ratelimit', `"requests";r=${remaining};t=${Math.ceil(fullAfterMs / 1_000)}`)
    if (taken < wanted) reply.header('retry-after', Math.max(1, Math.ceil(nextAfterMs / 1_000)))
    return taken
  }

  #told(error: Error): Error {
    return error instanceof Unauthenticated ? this.#refuse(error) : error
  }

  #refuse(error: PosthasteError): PosthasteError {
    this.#refusals.refused(WHERE, error)
    return error
  }
}

/** `Bearer`, or `Basic` with the token for a password and anybody's name, as a URL can have it, or in the query. */
function tokenOf(what: Guarded, { headers, query }: FastifyRequest): string | undefined {
  const { authorization } = headers
  if (authorization === undefined)
    return what.takesTokenInQuery ? tokenIn((query as Record<string, unknown>).token) : undefined
  const [, scheme = '', shown = ''] = /^(\w+) +(\S+) *$/.exec(authorization) ?? []
  if (/^bearer$/i.test(scheme)) return tokenIn(shown)
  // A browser adds a password that it knows to whatever a page has it ask.
  if (!/^basic$/i.test(scheme) || isForeignPage(headers) || isForeignFetch(headers)) return undefined
  const [, password] = /^[^:]*:(.*)$/s.exec(Buffer.from(shown, 'base64').toString()) ?? []
  return tokenIn(password)
}

function tokenIn(text: unknown): string | undefined {
  return typeof text === 'string' && TOKEN.test(text) ? text : undefined
}

function pingKeyOf({ headers, query }: FastifyRequest): unknown {
  return headers['posthaste-ping-key'] ?? (query as Record<string, unknown>)[PING_KEY_PARAMETER]
}

/** Whether a token is unknown, revoked or past its time is not said. */
function unauthenticated(what: Guarded, { headers, query }: FastifyRequest, reply: FastifyReply): Unauthenticated {
  const isInQuery = what.takesTokenInQuery && (query as Record<string, unknown>).token !== undefined
  const isShown = isInQuery || headers.authorization !== undefined
  reply.header('www-authenticate', `Bearer realm="posthaste"${isShown ? ', error="invalid_token"' : ''}`)
  const detail = isShown
    ? 'This token is not known here, or not any more.'
    : 'Say who asks: Authorization: Bearer, and a token.'
  return new Unauthenticated(isShown ? 'unknown-token' : 'missing', detail)
}
