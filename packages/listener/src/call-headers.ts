import type { Call, Headers } from '@posthaste/core'

/**
 * The headers that a target gets, as names and values in turn: the instruction's, and ours where it has none of that
 * name. A forward brings the `posthaste-*` headers of the invocation that it reports.
 */
export function callHeaders(call: Call): string[] {
  const flat: string[] = []
  const { headers } = call
  for (const [name, value] of Object.entries(headers)) append(flat, name, value)
  const add = (name: string, value: string): void => {
    if (!(name in headers)) flat.push(name, value)
  }
  add('posthaste-id', call.id)
  add('posthaste-attempt', String(call.attempt))
  add('posthaste-generation', String(call.generation))
  add('posthaste-depth', String(call.depth))
  if (call.correlationId !== undefined) add('posthaste-correlation-id', call.correlationId)
  add('idempotency-key', call.generation === 1 ? call.id : `${call.id}-${call.generation}`)
  add('user-agent', 'posthaste')
  return flat
}

function append(flat: string[], name: string, value: Headers[string]): void {
  if (typeof value === 'string') flat.push(name, value)
  else for (const one of value) flat.push(name, one)
}
