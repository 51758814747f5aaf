import type { Call } from './call.js'
import type { Destination } from './destination.js'
import type { Forward } from './forward.js'
import { type Headers, likenessOf, newHeaders } from './headers.js'
import type { RetryPolicy } from './retry-policy.js'
import { functionNameOf, pathOf } from './url.js'

/**
 * A function that can be called by its name: `function://NAME/path?query`. What it is only the processes know that call it;
 * records have its name, so that its secrets stay out of them, and a change holds for what waits. Plain data.
 */
export interface NamedFunction {
  readonly name: string
  /** A checked http or https URL, which may have a path and a query. */
  readonly url: string
  /** Of a request that does not say. */
  readonly method?: string
  /** Of a call that is made later, where its instruction names none. */
  readonly timeoutMs?: number
  /** Of a call that is made at once; as the other if left out. */
  readonly syncTimeoutMs?: number
  readonly retry?: Partial<RetryPolicy>
  readonly limits?: FunctionLimits
  /** What accepting a request for it is answered with. */
  readonly acceptStatus: 200 | 202
  /** A template for the body of that answer: a text, or a JSON value. */
  readonly acceptBody?: unknown
  /** They take the place of those of a call. Secrets are among them. */
  readonly headers: Headers
  readonly forwardTo?: string
  readonly forwardWith?: Forward
  readonly onSuccess?: Destination
  readonly onFailure?: Destination
  /** Further paths that are this function's URL. */
  readonly routes: readonly string[]
  /** Which front doors show it; all if left out. */
  readonly doors?: readonly string[]
}

/** What a function takes. What is left out is as for any target. */
export interface FunctionLimits {
  /** Calls running at once. */
  readonly concurrency?: number
  /** Calls that begin in a second. */
  readonly requestsPerSecond?: number
  /** Calls that may begin at once after a rest. */
  readonly burst?: number
  /** Of a request for it. */
  readonly bodyBytes?: number
}

/** Functions by their names. */
export type FunctionMap = ReadonlyMap<string, NamedFunction>

export const NO_FUNCTIONS: FunctionMap = new Map()

export function functionMapOf(functions: readonly NamedFunction[]): FunctionMap {
  return new Map(functions.map((one) => [one.name, one]))
}

/** The function that a checked URL leads to; undefined if it leads to none, or to one that is not there. */
export function functionOf(url: string, functions: FunctionMap): NamedFunction | undefined {
  const name = functionNameOf(url)
  return name === undefined ? undefined : functions.get(name)
}

/** A call with what its function says where it says nothing itself, but for what is sent, and when it is tried again. */
export function withFunction(call: Call, functions: FunctionMap): Call {
  const found = functionOf(call.target, functions)
  if (!found) return call
  const { forwardTo, forwardWith, onFailure, onSuccess, timeoutMs } = found
  return {
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(onSuccess && { onSuccess }),
    ...(onFailure && { onFailure }),
    // What goes with the one is not for the other.
    ...(forwardTo !== undefined && call.forwardTo === undefined && { forwardTo, ...(forwardWith && { forwardWith }) }),
    ...call,
  }
}

/** What of a call is to be sent, and where to: its own, or what its function makes of it. */
export type Sent = Pick<Call, 'target' | 'headers'>

/** Returns a call as it is to be sent; undefined if it is for a function that is not there. */
export function resolveFunction<C extends Sent>(call: C, functions: FunctionMap): C | undefined {
  if (functionNameOf(call.target) === undefined) return call
  const found = functionOf(call.target, functions)
  return found && { ...call, target: functionUrl(found, pathOf(call.target)), headers: headersFor(found, call.headers) }
}

/**
 * The URL of a function with a path and a query behind its own, as a URL has them. A path that is only a slash adds nothing.
 */
export function functionUrl({ url }: NamedFunction, pathAndQuery: string): string {
  const [path, query] = halves(pathAndQuery)
  const [base, ownQuery] = halves(url)
  const whole = path === '/' ? base : base.replace(/\/$/, '') + path
  const queries = [ownQuery, query].filter((one) => one !== '').join('&')
  return queries === '' ? whole : `${whole}?${queries}`
}

/** The function's headers, and those of a call that could not be taken for one of them. */
function headersFor({ headers: own }: NamedFunction, headers: Headers): Headers {
  const taken = new Set(Object.keys(own).map(likenessOf))
  const sent = newHeaders()
  for (const name of Object.keys(headers)) {
    if (!taken.has(likenessOf(name))) sent[name] = headers[name] as string
  }
  for (const name of Object.keys(own)) sent[name] = own[name] as string
  return sent
}

function halves(text: string): [before: string, behind: string] {
  const mark = text.indexOf('?')
  return mark < 0 ? [text, ''] : [text.slice(0, mark), text.slice(mark + 1)]
}
