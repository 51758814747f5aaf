import type { ErrorCode } from '@posthaste/core'
import type { Scope } from './caller.js'
import type { Parameters } from './parameter.js'

/**
 * Something that the API can be asked for. From these come the routes, what is checked of a request, and the OpenAPI
 * document.
 */
export interface Operation<P extends Parameters = Parameters, B = unknown> {
  readonly id: string
  /** `GET` serves `HEAD` too. */
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** As OpenAPI writes it: `/invocations/{id}`. */
  readonly path: string
  readonly summary: string
  /** What a caller must be allowed to do; `open` is for everybody. */
  readonly scope: Scope | 'open'
  /** Whether the secret of pings will do instead. */
  readonly takesPingKey?: true
  readonly query: P
  /** Whether other parameters may stand in the query, and anything in the body, as in what health checks send. */
  readonly isProbe?: true
  /** Request headers that mean something. */
  readonly headers?: Readonly<Record<string, HeaderParameter>>
  readonly body?: Body<B>
  /** Whether the body may be anything, and is passed on as it comes. */
  readonly takesAny?: true
  /** By status. */
  readonly answers: Readonly<Record<number, Answer>>
  /** What it may be refused with besides what everything may be. */
  readonly problems: readonly ErrorCode[]
}

export interface HeaderParameter {
  readonly description: string
  readonly schema: object
}

/** A request body of JSON. */
export interface Body<B> {
  readonly schema: object
  /** As JSON text. */
  readonly bytesMax: number
  /** @throws PosthasteError with what is wrong with it */
  read(input: unknown, nowMs: number): B
}

export interface Answer {
  readonly description: string
  /** None: there is no body. */
  readonly content?: { readonly type: string; readonly schema: object }
  /** By name, what it says. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Gives an operation its types. */
export function operation<const P extends Parameters, B = undefined>(given: Operation<P, B>): Operation<P, B> {
  return given
}

/** An answer of JSON. */
export function json(description: string, schema: object, headers?: Readonly<Record<string, string>>): Answer {
  return { description, content: { type: 'application/json', schema }, ...(headers && { headers }) }
}
