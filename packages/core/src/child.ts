import type { Call } from './call.js'
import type { ErrorCode } from './errors.js'
import type { Headers } from './headers.js'
import { deriveId, idTimeMs } from './ids.js'
import type { FinalState } from './lifecycle.js'
import { LIMITS } from './limits.js'
import type { Outcome } from './outcome.js'

/** What an end gives rise to an invocation for: to forward the response, or to tell a destination. One of each at the most. */
export type ChildRole = 'forward' | 'destination'

/** The invocation that an end gave rise to, or why there is none. */
export type Child = { readonly id: string } | { readonly refused: ErrorCode }

export type Children = { readonly [role in ChildRole]?: Child }

/** The id of a child of a generation: the same however often it is derived. */
export function childId(
  role: ChildRole,
  { acceptedAtMs, generation, id }: Pick<Call, 'id' | 'generation' | 'acceptedAtMs'>,
): string {
  return deriveId(idTimeMs(id) ?? acceptedAtMs, role, id, generation)
}

/** The POST that tells of the end of `call`; undefined where the chain of invocations would grow beyond the depth limit. */
export function childOf(
  call: Call,
  role: ChildRole,
  nowMs: number,
  what: Pick<Call, 'target' | 'headers' | 'body'>,
): Call | undefined {
  if (call.depth >= LIMITS.depthMax) return undefined
  return {
    id: childId(role, call),
    generation: 1,
    attempt: 1,
    acceptedAtMs: nowMs,
    parent: call.id,
    depth: call.depth + 1,
    method: 'POST',
    ...what,
    ...(call.correlationId !== undefined && { correlationId: call.correlationId }),
    ...(call.tenant !== undefined && { tenant: call.tenant }),
  }
}

/** How `call` ended, as headers. `outcome` is that of the last attempt, or undefined if there was none. */
export function endHeaders(call: Call, state: FinalState, outcome: Outcome | undefined): Headers {
  return {
    'posthaste-id': call.id,
    'posthaste-state': state,
    ...(outcome?.kind === 'answered' && { 'posthaste-status': String(outcome.response.status) }),
    ...(outcome && { 'posthaste-duration-seconds': (outcome.durationMs / 1000).toFixed(6) }),
    ...(call.correlationId !== undefined && { 'posthaste-correlation-id': call.correlationId }),
    ...(outcome?.kind === 'unanswered' && { 'posthaste-error': outcome.code }),
  }
}
