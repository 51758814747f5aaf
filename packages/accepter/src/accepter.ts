import { lookup } from 'node:dns/promises'
import type { Socket } from 'node:net'
import { isLoopbackHost, LIMITS, PosthasteError } from '@posthaste/core'
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import type { AccepterOptions } from './accepter-options.js'
import { answerBrokenRequest, headersTooLarge, unreadable } from './broken-request.js'
import { Connections } from './connections.js'
import { isForeignPage } from './foreign-page.js'
import { Gate } from './gate.js'
import { problemHandler, sendProblem } from './problem.js'
import { Refusals } from './refusals.js'
import { addRoutes } from './route-plan.js'
import { Routes } from './routes.js'
import { Waits } from './waits.js'

/** An id may have 128 characters, each of them written as three. */
const PARAMETER_LENGTH_MAX = 384
/** How often it is looked who has taken too long. */
const LOOK_MS = 1_000
/** How long a stop waits for connections that bring no whole request. */
const UNFINISHED_MS_MAX = 1_000

/** The HTTP side of Posthaste. */
export class Accepter {
  readonly #options: AccepterOptions
  readonly #app: FastifyInstance
  readonly #connections: Connections
  readonly #gate: Gate | undefined
  readonly #refusals: Refusals
  readonly #routes: Routes
  readonly #waits: Waits
  #cuttingSlow: NodeJS.Timeout | undefined
  #stopped: Promise<void> | undefined

  constructor(options: AccepterOptions) {
    this.#options = options
    const requestTimeout = options.requestTimeoutMs ?? LIMITS.requestMsMax
    this.#refusals = new Refusals(options.log)
    this.#app = fastify({
      // We log what matters ourselves; ids of requests are no use without.
      logger: false,
      requestTimeout,
      // Node takes the smaller of the two for the head.
      http: {
        headersTimeout: requestTimeout,
        connectionsCheckingInterval: LOOK_MS,
        maxHeaderSize: LIMITS.requestHeadBytesMax,
      },
      keepAliveTimeout: LIMITS.keepAliveMsMax,
      forceCloseConnections: 'idle',
      // `#refuseWhileStopping` answers instead, in our own form.
      return503OnClosing: false,
      routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
      clientErrorHandler: (error, socket) => this.#cut(error, socket),
      frameworkErrors: ({ code }, request, reply) => {
        const error = code === 'FST_ERR_MAX_PARAM_LENGTH' ? noSuchPath() : unreadable()
        void (this.#routes.refuseAtDoor?.(error, request, reply) ?? this.#refuse(reply, error))
      },
    })
    // What is sent to no path of ours is not read.
    this.#app.removeAllContentTypeParsers()
    this.#app.setErrorHandler(problemHandler(options.log, this.#refusals, (code) => options.onRefused?.(code)))
    this.#connections = this.#takeConnections()
    this.#watchRequests()
    this.#refuseWhileStopping()
    if (!options.credentials) this.#refuseForeignPages()
    const { clock, credentials, log, pingSecret, serves } = options
    this.#gate = credentials && new Gate({ credentials, log, ...(pingSecret !== undefined && { pingSecret }) })
    this.#routes = new Routes(this.#app, clock, this.#gate, serves && (({ scope }) => serves(scope)))
    this.#waits = new Waits(options.waitingMax ?? LIMITS.waitingRequestsMax)
    this.#refuseUnknown()
  }

  /** Listens and returns the URL to reach it by. */
  async start(): Promise<string> {
    const { answerTimeoutMs = LIMITS.answerMsMax, host, port } = this.#options
    this.#cuttingSlow = setInterval(() => this.#connections.closeUnread(), answerTimeoutMs).unref()
    addRoutes(this.#routes, this.#options, this.#waits)
    // Given the name `localhost`, fastify opens a server more for its second address, which has none of our limits.
    return this.#app.listen({ host: await addressOf(host), port })
  }

  /** Takes no more, answers what it took, and resolves when every connection is closed. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#waits.stop()
    const closed = this.#app.close()
    // Node waits for a client that has connected and says nothing, or half of something, until it times out.
    const cutting = setInterval(() => this.#connections.closeUnused(), UNFINISHED_MS_MAX)
    await closed
    clearInterval(cutting)
    clearInterval(this.#cuttingSlow)
    this.#refusals.stop()
    this.#gate?.stop()
  }

  #takeConnections(): Connections {
    const where = 'connections'
    return new Connections(this.#app.server, {
      max: this.#options.connectionsMax,
      taken: () => this.#refusals.taken(where),
      refused: (reason) => {
        const error = new PosthasteError('overloaded', reason)
        this.#refusals.refused(where, error)
        this.#options.onRefused?.(error.code)
      },
    })
  }

  #cut(error: Error, socket: Socket): void {
    if (!this.#connections.mayBeTold(socket)) {
      socket.destroy()
      return
    }
    const answered = answerBrokenRequest(error, socket)
    if (answered) this.#options.onRefused?.(answered.code)
  }

  #refuse(reply: FastifyReply, error: PosthasteError): Promise<void> {
    this.#options.onRefused?.(error.code)
    return sendProblem(reply, error)
  }

  // Hooks with a callback: each async one costs every request a promise.
  #watchRequests(): void {
    this.#app.addHook('onRequest', (request, reply, done) => {
      this.#connections.began(reply.raw)
      // Names and values by turns.
      if (request.raw.rawHeaders.length <= 2 * LIMITS.requestHeadersMax) done()
      else done(headersTooLarge())
    })
    this.#app.addHook('onResponse', (request, reply, done) => {
      this.#connections.ended(reply.raw)
      if (reply.statusCode < 400) this.#refusals.taken(request.routeOptions.url ?? '')
      done()
    })
  }

  #refuseWhileStopping(): void {
    this.#app.addHook('onRequest', (_, __, done) => {
      if (!this.#stopped) done()
      else done(new PosthasteError('stopping', 'This process is stopping; another may take the request.'))
    })
    this.#app.addHook('onSend', (_, reply, payload, done) => {
      if (this.#stopped) reply.header('connection', 'close')
      done(null, payload)
    })
  }

  /** Where a token must be shown no page has one. */
  #refuseForeignPages(): void {
    this.#app.addHook('onRequest', ({ headers }, _, done) => {
      if (!isForeignPage(headers)) done()
      else
        done(new PosthasteError('forbidden', 'A page of another site may not ask. Where tokens are configured it may.'))
    })
  }

  #refuseUnknown(): void {
    this.#app.setNotFoundHandler(async (request, reply) => {
      const path = request.url.split('?', 1)[0] as string
      const allowed = this.#routes.methodsOf(path)
      // By a method that it takes it comes here where a part of it is too long.
      if (allowed.length === 0 || allowed.includes(request.method)) return this.#refuse(reply, noSuchPath())
      reply.header('allow', allowed.join(', '))
      return this.#refuse(reply, new PosthasteError('method-not-allowed', `This path takes ${allowed.join(', ')}.`))
    })
  }
}

/** @throws PosthasteError if the name of this machine leads elsewhere: it is taken to be out of reach of others */
async function addressOf(host: string): Promise<string> {
  const { address } = await lookup(host)
  if (!isLoopbackHost(host) || isLoopbackHost(address)) return address
  throw new PosthasteError('invalid-configuration', `${host} leads to ${address}, which is not loopback.`)
}

function noSuchPath(): PosthasteError {
  return new PosthasteError('not-found', 'There is nothing at this path.')
}
