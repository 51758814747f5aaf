import type { Call } from './call.js'
import { childId, childOf, endHeaders } from './child.js'
import { type Headers, isHeaderValue } from './headers.js'
import type { FinalState } from './lifecycle.js'
import { LIMITS } from './limits.js'
import { isTruncated, type Outcome, type TargetResponse } from './outcome.js'

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
    headers: {
      ...(response && bodyHeaders(response)),
      ...endHeaders(call, state, outcome),
      ...(response && isTruncated(response) && { 'posthaste-truncated': String(response.bodyBytes) }),
    },
    body: response?.body ?? new Uint8Array(0),
  })
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
