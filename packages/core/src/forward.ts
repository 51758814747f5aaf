import type { Call } from './call.js'
import { childId, childOf, endHeaders } from './child.js'
import { fillTemplate, templateValues } from './forward-template.js'
import { fittingHeaders, type Headers, isHeaderValue, isSendable } from './headers.js'
import type { FinalState } from './lifecycle.js'
import { LIMITS } from './limits.js'
import { isTruncated, type Outcome, type TargetResponse } from './outcome.js'

/** What a forward says besides what every forward does. */
export interface Forward {
  /** Templates, by their header's name in lower case: see `forward-template.ts`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Whether the headers of the response go along, but for those of the connection and those that are ours. */
  readonly passHeaders?: true
}

/** The id of the one forward of a generation: the same however often it is derived. */
export function forwardId(call: Pick<Call, 'id' | 'generation' | 'acceptedAtMs'>): string {
  return childId('forward', call)
}

/**
 * Makes the call that tells `call.forwardTo` how the invocation ended: one POST of the response's body, as it came.
 * `outcome` is that of the last attempt, or undefined if there was none. Returns undefined where the chain of
 * invocations would grow beyond the depth limit.
 */
export function forwardOf(
  call: Call & { readonly forwardTo: string },
  state: FinalState,
  outcome: Outcome | undefined,
  nowMs: number,
): Call | undefined {
  const response = outcome?.kind === 'answered' ? outcome.response : undefined
  return childOf(call, 'forward', nowMs, {
    target: call.forwardTo,
    headers: fittingHeaders([
      endHeaders(call, state, outcome),
      response && isTruncated(response) ? { 'posthaste-truncated': String(response.bodyBytes) } : {},
      templateHeaders(call, state, outcome),
      response ? bodyHeaders(response) : {},
      response && call.forwardWith?.passHeaders ? passedHeaders(response.headers) : {},
    ]),
    body: response?.body ?? new Uint8Array(0),
  })
}

/** One that comes to nothing is left out. */
function templateHeaders(call: Call, state: FinalState, outcome: Outcome | undefined): Headers {
  const { headers = {} } = call.forwardWith ?? {}
  const values = templateValues(call, state, outcome)
  const filled = Object.entries(headers).map(([name, template]) => [name, fillTemplate(template, values)])
  return Object.fromEntries(filled.filter(([, value]) => value !== ''))
}

/** What says how the body came is told in any case; cookies are for whoever asked. */
const NOT_PASSED = ['content-type', 'content-encoding', 'set-cookie']

function passedHeaders(headers: Headers): Headers {
  const isPassed = ([name, value]: [string, Headers[string]]): boolean =>
    !NOT_PASSED.includes(name) && isSendable(name, value)
  return Object.fromEntries(Object.entries(headers).filter(isPassed))
}

/** Far longer than any list of content codings. */
const ENCODING_LENGTH_MAX = 256

/** What the target says of its body, but for what no request may carry: the forward must not fail for that. */
function bodyHeaders({ body, headers }: TargetResponse): Headers {
  const [type = ''] = valuesOf(headers['content-type'])
  // Of no body nothing is encoded.
  const encoding = body.length > 0 ? valuesOf(headers['content-encoding']).join(', ') : ''
  return {
    ...(isCarried(type, LIMITS.responseHeaderBytesMax) && { 'content-type': type }),
    ...(isCarried(encoding, ENCODING_LENGTH_MAX) && { 'content-encoding': encoding }),
  }
}

function valuesOf(value: Headers[string] = []): readonly string[] {
  return typeof value === 'string' ? [value] : value
}

function isCarried(value: string, lengthMax: number): boolean {
  return value !== '' && value.length <= lengthMax && isHeaderValue(value)
}
