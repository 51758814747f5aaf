import { type Clock, LIMITS, PosthasteError } from '@posthaste/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Bodies } from './bodies.js'
import { ANYONE, type Caller } from './caller.js'
import type { RefuseAtDoor } from './doors/add-doors.js'
import type { Gate } from './gate.js'
import type { Operation } from './operation.js'
import { type Parameters, type QueryOf, readQuery } from './parameter.js'
import { takeJson, takeNothing } from './request-body.js'

/** A request whose parameters and body are as its operation says. */
export interface Asked<P extends Parameters, B> {
  /** Of the path, if it has one. */
  readonly id: string
  readonly query: QueryOf<P>
  readonly body: B
  readonly nowMs: number
  /** Who asks. */
  readonly caller: Caller
  /** Counts so many requests more as his, as far as he may; returns how many that are. */
  readonly countMore: (count: number) => number
  readonly request: FastifyRequest
}

/** What doors are built into. */
export interface DoorFrame {
  readonly app: FastifyInstance
  readonly bodies: Bodies
  readonly gate: Gate | undefined
}

export type Handler<P extends Parameters, B> = (asked: Asked<P, B>, reply: FastifyReply) => unknown

/** The operations that a process serves. */
export class Routes {
  readonly #app: FastifyInstance
  readonly #bodies = new Bodies(LIMITS.bodiesBytesMax)
  readonly #clock: Clock
  readonly #gate: Gate | undefined
  readonly #serves: (operation: Operation) => boolean
  readonly #operations: Operation[] = []
  readonly #patterns = new Map<string, RegExp>()
  #refuseAtDoor: RefuseAtDoor | undefined

  /** Without a gate everybody may ask for everything. What is not served is passed over. */
  constructor(app: FastifyInstance, clock: Clock, gate?: Gate, serves: (operation: Operation) => boolean = () => true) {
    app.decorateRequest('caller', undefined)
    this.#app = app
    this.#clock = clock
    this.#gate = gate
    this.#serves = serves
  }

  /** What refuses a request that comes to no route; undefined where there are no doors. */
  get refuseAtDoor(): RefuseAtDoor | undefined {
    return this.#refuseAtDoor
  }

  get operations(): readonly Operation[] {
    return this.#operations
  }

  add<P extends Parameters, B>(operation: Operation<P, B>, handle: Handler<P, B>): void {
    if (!this.#serves(operation as Operation)) return
    const { body, method, path } = operation
    this.#operations.push(operation as Operation)
    this.#patterns.set(path, new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+').replaceAll('.', '\\.')}$`))
    const url = path.replace(/\{(\w+)\}/g, ':$1')
    // What is registered has parsers of its own.
    this.#app.register(async (app) => {
      if (body) takeJson(app, this.#bodies, body.bytesMax)
      else takeNothing(app)
      const onRequest = this.#gate?.hookFor(operation)
      app.route({
        method,
        url,
        ...(onRequest && { onRequest }),
        handler: async (request, reply) => handle(this.#read(operation, request, reply), reply),
      })
    })
  }

  /** Has doors take what comes to paths that are not those of an operation. Some of it is, for who reads of them. */
  addDoors(operations: readonly Operation[], openDoors: (parts: DoorFrame) => RefuseAtDoor): void {
    this.#operations.push(...operations)
    this.#app.register(async (app) => {
      this.#refuseAtDoor = openDoors({ app, bodies: this.#bodies, gate: this.#gate })
    })
  }

  /** The methods that a path takes; none if there is no such path. */
  methodsOf(path: string): string[] {
    const here = this.#operations.filter((operation) => this.#patterns.get(operation.path)?.test(path))
    return [...new Set(here.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))]
  }

  #read<P extends Parameters, B>(
    operation: Operation<P, B>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Asked<P, B> {
    const { id = '' } = request.params as { id?: string }
    const query = readQuery(
      operation.query,
      request.query as object as Record<string, unknown>,
      operation.isProbe ?? false,
    )
    const nowMs = this.#clock.now()
    const caller = request.caller ?? ANYONE
    const countMore = (count: number): number => this.#gate?.countMore(request, reply, count) ?? count
    return { id, query, body: readBody(operation, request, nowMs), nowMs, caller, countMore, request }
  }
}

function readBody<B>({ body }: Operation<Parameters, B>, request: FastifyRequest, nowMs: number): B {
  if (!body) return undefined as B
  if (request.body === undefined)
    throw new PosthasteError('unsupported-media-type', 'Send the request body as Content-Type: application/json.')
  return body.read(request.body, nowMs)
}
