import type { Socket } from 'node:net'
import { PosthasteError } from '@posthaste/core'
import fastify, { type FastifyInstance } from 'fastify'
import type { AccepterOptions } from './accepter-options.js'
import { cycleRoutes } from './cycle-routes.js'
import { healthRoutes } from './health-routes.js'
import { invocationsRoutes } from './invocations-routes.js'
import { problemHandler, problemOf, sendProblem } from './problem.js'

declare module 'fastify' {
  interface FastifyRequest {
    isWorkedOn: boolean
  }
}

/** How long a client may take to send a whole request. */
const REQUEST_MS_MAX = 60_000
const KEEP_ALIVE_MS = 72_000
/** How long a stop waits for connections that bring no whole request. */
const UNFINISHED_MS_MAX = 1_000

/** The HTTP side of Posthaste. */
export class Accepter {
  readonly #options: AccepterOptions
  readonly #app: FastifyInstance
  /** Requests that were read to their end and are not answered yet. */
  #working = 0
  #stopped: Promise<void> | undefined

  constructor(options: AccepterOptions) {
    this.#options = options
    this.#app = fastify({
      // We log what matters ourselves; ids of requests are no use without.
      logger: false,
      requestTimeout: REQUEST_MS_MAX,
      keepAliveTimeout: KEEP_ALIVE_MS,
      forceCloseConnections: 'idle',
      // `#refuseWhileStopping` answers instead, in our own form.
      return503OnClosing: false,
      clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket),
      frameworkErrors: (_, __, reply) => void sendProblem(reply, unreadable()),
    })
    // What is sent to no path of ours is not read.
    this.#app.removeAllContentTypeParsers()
    this.#app.setErrorHandler(problemHandler(options.log))
    this.#watchWork()
    this.#refuseWhileStopping()
    this.#refuseUnknown()
  }

  /** Listens and returns the URL to reach it by. */
  async start(): Promise<string> {
    const { cycle, clock, host, invocations, port, readiness } = this.#options
    await this.#app.register(healthRoutes(readiness))
    if (invocations) await this.#app.register(invocationsRoutes(invocations, clock))
    if (cycle) await this.#app.register(cycleRoutes(cycle))
    return this.#app.listen({ host, port })
  }

  /** Takes no more, answers what it took, and resolves when every connection is closed. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const closed = this.#app.close()
    // Node waits for a client that has connected and says nothing, or half of something, until it times out.
    const cutting = setInterval(() => {
      if (this.#working === 0) this.#app.server.closeAllConnections()
    }, UNFINISHED_MS_MAX)
    await closed
    clearInterval(cutting)
  }

  // Hooks with a callback: each async one costs every request a promise.
  #watchWork(): void {
    this.#app.decorateRequest('isWorkedOn', false)
    this.#app.addHook('preHandler', (request, _, done) => {
      request.isWorkedOn = true
      this.#working += 1
      done()
    })
    this.#app.addHook('onResponse', (request, _, done) => {
      // What cannot be read is answered without having been worked on.
      if (request.isWorkedOn) this.#working -= 1
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
      const allowed = (['GET', 'HEAD', 'POST'] as const).filter((method) => this.#app.hasRoute({ method, url: path }))
      if (allowed.length === 0)
        return sendProblem(reply, new PosthasteError('not-found', 'There is nothing at this path.'))
      reply.header('allow', allowed.join(', '))
      return sendProblem(reply, new PosthasteError('method-not-allowed', `This path takes ${allowed.join(', ')}.`))
    })
  }
}

/** What is not HTTP at all never reaches a route. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const body = JSON.stringify(problemOf(unreadable()))
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

function unreadable(): PosthasteError {
  return new PosthasteError('bad-request', 'The HTTP request cannot be read.')
}
