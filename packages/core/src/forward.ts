import type { Call } from './call.js'
import { isHeaderValue } from './headers.js'
import { deriveId, idTimeMs } from './ids.js'
import type { FinalState } from './lifecycle.js'
import { LIMITS } from './limits.js'
import { isTruncated, type Outcome, type TargetResponse } from './outcome.js'

/** The id of the one forward of a generation: the same however often it is derived. */
export function forwardId(call: Pick<Call, 'id' | 'generation' | 'acceptedAtMs'>): string {
  return deriveId(idTimeMs(call.id) ?? call.acceptedAtMs, 'forward', call.id, call.generation)
}

/**
 * Makes the call that tells `call.forwardTo` how the invocation ended: one POST of the response's body and content type.
 * `outcome` is that of the last attempt, or undefined if there was none. Returns undefined where the chain of
 * invocations would grow beyond the depth limit.
 */
export function forwardOf(
  call: Call & { readonly forwardTo: string },
  state: FinalState,
  outcome: Outcome | undefined,
  nowMs: number,
): Call | undefined {
  if (call.depth >= LIMITS.depthMax) return undefined
  const response = outcome?.kind === 'answered' ? outcome.response : undefined
  const contentType = response && contentTypeOf(response)
  return {
    id: forwardId(call),
    generation: 1,
    attempt: 1,
    acceptedAtMs: nowMs,
    parent: call.id,
    depth: call.depth + 1,
    target: call.forwardTo,
    method: 'POST',
    headers: {
      ...(contentType !== undefined && { 'content-type': contentType }),
      'posthaste-id': call.id,
      'posthaste-state': state,
      ...(response && { 'posthaste-status': String(response.status) }),
      ...(outcome && { 'posthaste-duration-seconds': (outcome.durationMs / 1000).toFixed(6) }),
      ...(call.correlationId !== undefined && { 'posthaste-correlation-id': call.correlationId }),
      ...(outcome?.kind === 'unanswered' && { 'posthaste-error': outcome.code }),
      ...(response && isTruncated(response) && { 'posthaste-truncated': String(response.bodyBytes) }),
    },
    body: response?.body ?? new Uint8Array(0),
    ...(call.correlationId !== undefined && { correlationId: call.correlationId }),
  }
}

// A target may answer with one that no request may carry: its forward must not fail for it.
function contentTypeOf(response: TargetResponse): string | undefined {
  const value = response.headers['content-type']
  const first = typeof value === 'string' ? value : value?.[0]
  return first !== undefined && first.length <= LIMITS.responseHeaderBytesMax && isHeaderValue(first)
    ? first
    : undefined
}
