import { LIMITS, type NamedFunction, PosthasteError } from '@posthaste/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Bodies, tooLarge } from '../bodies.js'
import type { Caller } from '../caller.js'
import { idempotencyKeyOf } from '../idempotency-key.js'
import { type CallOrigin, depthOf } from '../intake.js'
import type { Order } from './house.js'
import { type PassedHeaders, passedHeaders } from './passed-headers.js'

/** As a correlation id: neither end is a blank. */
const CLIENT_ID = new RegExp(`^(?! )[\\x20-\\x7e]{1,${LIMITS.correlationIdLengthMax}}(?<! )$`)

export interface EntranceParts {
  readonly bodies: Bodies
  readonly caller: Caller
  readonly nowMs: number
  /** Behind the prefix of the door, still encoded, without the query. */
  readonly path: string
  /** Headers that were meant for us, whatever the door. */
  readonly taken: readonly string[]
}

/** A request as a door sees it. */
export class Entrance {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly caller: Caller
  readonly nowMs: number
  readonly path: string
  /** The query as it came: `?a=b`, or nothing. */
  readonly search: string
  readonly #bodies: Bodies
  readonly #taken: readonly string[]

  constructor(request: FastifyRequest, reply: FastifyReply, { bodies, caller, nowMs, path, taken }: EntranceParts) {
    const queryAt = request.url.indexOf('?')
    this.request = request
    this.reply = reply
    this.caller = caller
    this.nowMs = nowMs
    this.path = path
    this.search = queryAt < 0 ? '' : request.url.slice(queryAt)
    this.#bodies = bodies
    this.#taken = taken
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.search)
  }

  /** @throws PosthasteError `depth-exceeded` */
  get origin(): CallOrigin {
    return { caller: this.caller, depth: depthOf(this.request), nowMs: this.nowMs }
  }

  /** The value of a header, by its name in lower case; of several the first. */
  header(name: string): string | undefined {
    const value = this.request.headers[name]
    return typeof value === 'string' ? value : value?.[0]
  }

  /** What a client calls a call by himself, as a header says; undefined if it says nothing. @throws PosthasteError `invalid-field` */
  idOf(name: string): string | undefined {
    const id = this.header(name.toLowerCase()) || undefined
    if (id === undefined || CLIENT_ID.test(id)) return id
    const detail = `${name} has 1 to ${LIMITS.correlationIdLengthMax} printable ASCII characters.`
    throw new PosthasteError('invalid-field', detail)
  }

  /** The headers that pass on: not those that the door takes for itself, in lower case. */
  passedHeaders(taken: readonly string[] = []): PassedHeaders {
    return passedHeaders(this.request.raw, [...this.#taken, ...taken])
  }

  /** The whole body. To be asked for once. @throws PosthasteError `too-large`, `overloaded`, `bad-request` */
  async body(bytesMax: number = LIMITS.recordBytesMax): Promise<Buffer> {
    const read = this.bodyRead(bytesMax)
    return read ?? this.#bodies.whole(this.request.raw, { tenant: this.caller.tenant, bytesMax })
  }

  /** The same of what a function is called with later: it must fit a record. */
  bodyToKeep({ limits: { bodyBytes = LIMITS.recordBytesMax } = {} }: NamedFunction): Promise<Buffer> {
    return this.body(Math.min(bodyBytes, LIMITS.recordBytesMax))
  }

  /** The body, where it had to be read to know who asks. @throws PosthasteError `too-large` */
  bodyRead(bytesMax: number = Number.POSITIVE_INFINITY): Buffer | undefined {
    const { bodyRead } = this.request
    if (bodyRead && bodyRead.length > bytesMax) throw tooLarge(bytesMax)
    return bodyRead
  }

  /** This request as a call of a function: method, headers, body and query as they came. @throws PosthasteError */
  async order(fn: NamedFunction, rest: string, taken: readonly string[] = []): Promise<Order & { fn: NamedFunction }> {
    const target = `function://${fn.name}${rest}${this.search}`
    const method = fn.method ?? this.request.method
    const body = await this.bodyToKeep(fn)
    return {
      fn,
      body,
      instruction: { target, method, headers: this.passedHeaders(taken) },
      ...this.sameness(() => ({ target, method, body: body.toString('base64') })),
    }
  }

  /** With an Idempotency-Key, what it makes one of. @throws PosthasteError `invalid-key` */
  sameness(payload: () => object, key = idempotencyKeyOf(this.request)): Pick<Order, 'sameness'> {
    return key === undefined ? {} : { sameness: { key, payload: payload() } }
  }
}
