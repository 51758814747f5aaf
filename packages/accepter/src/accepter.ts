import { lookup } from 'node:dns/promises'
import type { Socket } from 'node:net'
import { PosthasteError } from '@posthaste/core'
import fastify, { type FastifyInstance } from 'fastify'
import type { AccepterOptions } from './accepter-options.js'
import { answerBrokenRequest, unreadable } from './broken-request.js'
import { Connections } from './connections.js'
import { problemHandler, sendProblem } from './problem.js'
import { Refusals } from './refusals.js'
import { addRoutes } from './route-plan.js'
import { Routes } from './routes.js'
import { Waits } from './waits.js'

const REQUEST_MS_MAX = 60_000
const WAITING_MAX = 1_000
/** An id may have 128 characters, each of them written as three. */
const PARAMETER_LENGTH_MAX = 384
/** How often it is looked who has taken too long. */
const LOOK_MS = 1_000
const KEEP_ALIVE_MS = 72_000
/** How long a stop waits for connections that bring no whole request. */
const UNFINISHED_MS_MAX = 1_000

/** The HTTP side of Posthaste. */
export class Accepter {
  readonly #options: AccepterOptions
  readonly #app: FastifyInstance
  readonly #connections: Connections
  readonly #refusals: Refusals
  readonly #routes: Routes
  readonly #waits: Waits
  #stopped: Promise<void> | undefined

  constructor(options: AccepterOptions) {
    this.#options = options
    const requestTimeout = options.requestTimeoutMs ?? REQUEST_MS_MAX
    this.#refusals = new Refusals(options.log)
    this.#app = fastify({
      // We log what matters ourselves; ids of requests are no use without.
      logger: false,
      requestTimeout,
      // Node takes the smaller of the two for the head.
      http: { headersTimeout: requestTimeout, connectionsCheckingInterval: LOOK_MS },
      keepAliveTimeout: KEEP_ALIVE_MS,
      forceCloseConnections: 'idle',
      // `#refuseWhileStopping` answers instead, in our own form.
      return503OnClosing: false,
      routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
      clientErrorHandler: (error, socket) => this.#cut(error, socket),
      frameworkErrors: ({ code }, _, reply) =>
        void sendProblem(reply, code === 'FST_ERR_MAX_PARAM_LENGTH' ? noSuchPath() : unreadable()),
    })
    // What is sent to no path of ours is not read.
    this.#app.removeAllContentTypeParsers()
    this.#app.setErrorHandler(problemHandler(options.log, this.#refusals))
    this.#connections = new Connections(this.#app.server)
    this.#limitConnections()
    this.#watchRequests()
    this.#refuseWhileStopping()
    this.#routes = new Routes(this.#app, options.clock)
    this.#waits = new Waits(options.waitingMax ?? WAITING_MAX)
    this.#refuseUnknown()
  }

  /** Listens and returns the URL to reach it by. */
  async start(): Promise<string> {
    const { host, port } = this.#options
    addRoutes(this.#routes, this.#options, this.#waits)
    // Given the name `localhost`, fastify opens a server more for its second address, which has none of our limits.
    const { address } = await lookup(host)
    return this.#app.listen({ host: address, port })
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
    this.#refusals.stop()
  }

  #limitConnections(): void {
    const { server } = this.#app
    const { connectionsMax } = this.#options
    server.maxConnections = connectionsMax
    const where = 'connections'
    const full = new PosthasteError('overloaded', `There are ${connectionsMax} connections; no more are taken.`)
    server.on('drop', () => this.#refusals.refused(where, full))
    server.on('connection', () => this.#refusals.taken(where))
  }

  #cut(error: Error, socket: Socket): void {
    // What is in work on it is not answered yet: its client would take another answer for that one's.
    if (this.#connections.isWorking(socket)) socket.destroy()
    else answerBrokenRequest(error, socket)
  }

  // Hooks with a callback: each async one costs every request a promise.
  #watchRequests(): void {
    this.#app.addHook('onRequest', (request, _, done) => {
      this.#connections.began(request.raw)
      done()
    })
    this.#app.addHook('onResponse', (request, reply, done) => {
      this.#connections.ended(request.raw)
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

  #refuseUnknown(): void {
    this.#app.setNotFoundHandler(async (request, reply) => {
      const path = request.url.split('?', 1)[0] as string
      const allowed = this.#routes.methodsOf(path)
      if (allowed.length === 0) return sendProblem(reply, noSuchPath())
      reply.header('allow', allowed.join(', '))
      return sendProblem(reply, new PosthasteError('method-not-allowed', `This path takes ${allowed.join(', ')}.`))
    })
  }
}

function noSuchPath(): PosthasteError {
  return new PosthasteError('not-found', 'There is nothing at this path.')
}
