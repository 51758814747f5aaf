import type { Call, Headers } from '@posthaste/core'

/**
 * The headers that a target gets, as names and values in turn: the instruction's, and ours where it has none of that
 * name. A forward brings the `posthaste-*` headers of the invocation that it reports. `remainingMs` is how long the target
 * has for its answer.
 */
export function callHeaders(call: Call, remainingMs: number): string[] {
  const flat: string[] = []
  const { headers } = call
  for (const [name, value] of Object.entries(headers)) append(flat, name, value)
  const add = (name: string, value: string): void => {
    if (!(name in headers)) flat.push(name, value)
  }
  add('posthaste-id', call.id)
  const { answered = 0, attempt } = call
  add('posthaste-attempt', String(attempt))
  add('posthaste-answered-attempts', String(answered))
  add('posthaste-unanswered-attempts', String(Math.max(0, attempt - 1 - answered)))
  add('posthaste-generation', String(call.generation))
  add('posthaste-depth', String(call.depth))
  // Its time may have run out since it was found to be in time.
  add('posthaste-remaining-seconds', (Math.max(0, remainingMs) / 1000).toFixed(3))
  if (call.correlationId !== undefined) add('posthaste-correlation-id', call.correlationId)
  add('idempotency-key', call.generation === 1 ? call.id : `${call.id}-${call.generation}`)
  add('user-agent', 'posthaste')
  return flat
}

function append(flat: string[], name: string, value: Headers[string]): void {
  if (typeof value === 'string') flat.push(name, value)
  else for (const one of value) flat.push(name, one)
}
