import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import {
  functionMapOf,
  LIMITS,
  type Log,
  type NamedFunction,
  originOf,
  PosthasteError,
  pathOf,
  resolveFunction,
  type Sent,
} from '@posthaste/core'
import type { FastifyReply } from 'fastify'
import { Agent, type Dispatcher, Pool } from 'undici'
import { Refusals } from '../refusals.js'
import { bodyOnItsWay } from './body-passage.js'
import { CallPlaces } from './call-places.js'
import { STREAMED, type Streamed } from './door.js'
import { namedByConnection, passesOn } from './passed-headers.js'

const TIMEOUT_MS = 60_000
/** While this process stops what runs has so long. */
const STOP_MS_MAX = 5_000
const NOT_MODIFIED = 304

/** A function to be called at once. */
export interface Proxied extends Sent {
  readonly fn: NamedFunction
  readonly method: string
  /** Left out: that of the request is passed on as it comes. */
  readonly body?: Buffer
  /** What is made of the head of the answer; it passes on as it comes if left out. */
  readonly answer?: (head: AnswerHead) => AnswerHead
}

/** By name in lower case. */
export interface AnswerHead {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

/** How connections to an origin are made: options of TLS, where it has rules. */
export type TlsOf = (origin: string) => object

/** Passes requests on to functions and their answers back, both as they come. Nothing of it is stored or tried again. */
export class FunctionProxy {
  readonly #agent: Agent
  readonly #places = new CallPlaces()
  readonly #running = new Set<AbortController>()
  readonly #failures: Refusals

  constructor(log: Log, tlsOf: TlsOf = () => ({})) {
    this.#failures = new Refusals(log)
    this.#agent = new Agent({
      maxHeaderSize: LIMITS.responseHeadBytesMax,
      // Our own deadline is for the time until there is a head.
      headersTimeout: 0,
      // Whatever NODE_TLS_REJECT_UNAUTHORIZED says.
      factory: (origin, options) =>
        new Pool(origin, { ...options, connect: { rejectUnauthorized: true, ...tlsOf(String(origin)) } }),
    })
  }

  /**
   * Calls a function, and begins to pass its answer on. The client goes away: the call ends. The time of the function is
   * that until its answer begins, and then that between two parts of it.
   *
   * @throws PosthasteError if there is no answer
   */
  async call(reply: FastifyReply, proxied: Proxied): Promise<Streamed> {
    const { answer = asItIs, fn } = proxied
    const { socket } = reply.request.raw
    if (socket.destroyed) return STREAMED
    const timeoutMs = fn.syncTimeoutMs ?? fn.timeoutMs ?? TIMEOUT_MS
    const end = this.#begin(reply, proxied)
    const late = setTimeout(() => end.abort(timedOut()), timeoutMs)
    try {
      const answered = await unlessAborted(this.#request(reply, proxied, timeoutMs, end.signal), end.signal)
      const { body, headers, statusCode } = asMeant(answered)
      const head = answer({ status: statusCode, headers: passedBack(headers) })
      passOn(reply, head, body)
      this.#watch(body, fn, end)
    } catch (error) {
      end.abort()
      // There is nobody left to be told.
      if (!socket.destroyed) throw this.#failed(fn, error)
    } finally {
      clearTimeout(late)
    }
    return STREAMED
  }

  /** Lets what runs end for a while, and cuts the rest. Idempotent. */
  stop(): void {
    const stopping = new PosthasteError('stopping', 'This process is stopping, and the function has not answered yet.')
    setTimeout(() => {
      for (const end of this.#running) end.abort(stopping)
    }, STOP_MS_MAX).unref()
  }

  /** Closes its connections. */
  close(): Promise<void> {
    this.#failures.stop()
    return this.#agent.destroy()
  }

  /** Counts a call until it has been answered, or the client has gone away; that aborts it. @throws PosthasteError `overloaded` */
  #begin({ raw, request }: FastifyReply, { body, fn }: Proxied): AbortController {
    const giveBack = this.#places.take(fn, body?.length)
    const { socket } = request.raw
    const end = new AbortController()
    this.#running.add(end)
    const over = (): void => {
      raw.off('close', over)
      socket.off('close', over)
      this.#running.delete(end)
      giveBack()
      end.abort()
    }
    raw.once('close', over)
    // Answers that wait for those to requests before them are not told.
    socket.setMaxListeners(0).once('close', over)
    return end
  }

  /** Tells whether the rest of an answer comes. */
  #watch(body: Readable, fn: NamedFunction, { signal }: AbortController): void {
    body.once('end', () => this.#failures.taken(whereOf(fn.name)))
    body.once('error', (error) => {
      // Where neither the client has gone away nor this process stops.
      if (!signal.aborted) this.#failed(fn, error)
    })
  }

  /** What a client is told does not say where the function is; the log does, once of each kind. */
  #failed({ name }: NamedFunction, error: unknown): PosthasteError {
    const known = error instanceof PosthasteError ? error : noAnswer(error)
    if (known.code.startsWith('function-'))
      this.#failures.refused(whereOf(name), new PosthasteError(known.code, reasonOf(error)))
    return known
  }

  #request({ request }: FastifyReply, { body, fn, method, ...sent }: Proxied, timeoutMs: number, signal: AbortSignal) {
    const { headers, target } = resolveFunction(sent, functionMapOf([fn])) as Sent
    const length = body ? undefined : request.headers['content-length']
    return this.#agent.request({
      origin: originOf(target),
      path: pathOf(target),
      method: method as 'GET',
      headers: { ...(headers as IncomingHttpHeaders), ...(length !== undefined && { 'content-length': length }) },
      body: body ?? bodyOnItsWay(request.raw, fn.limits?.bodyBytes),
      bodyTimeout: timeoutMs,
      signal,
    })
  }
}

type Answered = Pick<Dispatcher.ResponseData, 'headers' | 'statusCode'> & { readonly body: Readable }

/** Of what is not modified the length is that of another answer (RFC 9110 section 8.6): undici would wait for that. */
function asMeant(answered: Answered): Answered {
  if (answered.statusCode !== NOT_MODIFIED) return answered
  const { body, headers, statusCode } = answered
  const { 'content-length': _, ...others } = headers
  body.on('error', () => {}).resume()
  return { body: Readable.from([]), headers: others, statusCode }
}

function passedBack(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const dropped = new Set(namedByConnection([headers.connection ?? []].flat()))
  const kept = Object.entries(headers).filter(
    ([name]) => name === 'content-length' || (!dropped.has(name) && passesOn(name)),
  )
  return Object.fromEntries(kept)
}

/** The head goes out at once: what follows may be long in coming. */
function passOn(reply: FastifyReply, { headers, status }: AnswerHead, body: Readable): void {
  void reply
    .code(status)
    .headers(headers as OutgoingHttpHeaders)
    .send(body)
  // `flushHeaders` would write them as UTF-8.
  if (!reply.raw.headersSent) reply.raw.write(Buffer.alloc(0))
  // To HTTP/1.0 the end of a connection is that of an answer: this one must not look like it.
  body.prependOnceListener('error', () => reply.raw.socket?.resetAndDestroy())
}

/** A client of undici heeds the signal only once it is connected. */
function unlessAborted<T>(answered: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
  return Promise.race([answered, aborted])
}

const asItIs = (head: AnswerHead): AnswerHead => head

function timedOut(): PosthasteError {
  return new PosthasteError('function-timeout', 'The function did not answer in time.')
}

function whereOf(name: string): string {
  return `function ${name}`
}

/** Connecting to a name with several addresses fails with one error for each. */
function reasonOf(error: unknown): string {
  return String(error instanceof AggregateError ? error.errors[0] : error)
}

function noAnswer(cause: unknown): PosthasteError {
  return new PosthasteError('function-failed', 'The function cannot be reached, or broke off.', { cause })
}
