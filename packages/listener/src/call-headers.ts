import { type Call, deriveId, type Headers, likenessOf, OWN_PREFIX, type SigningKey } from '@posthaste/core'
import { WEBHOOK_HEADERS, webhookHeaders } from './webhook-signature.js'

export interface Sending {
  /** How long the target has for its answer. */
  readonly remainingMs: number
  readonly atMs: number
  /** What the call is signed with, if it is. */
  readonly keys: readonly SigningKey[] | undefined
}

/**
 * The headers that a target gets, as names and values in turn: ours, and the instruction's. What is ours to say no record
 * can say, whoever wrote it. Only one that has a parent brings `posthaste-*` headers: a forward tells of an end.
 */
export function callHeaders(call: Call, { atMs, keys, remainingMs }: Sending): string[] {
  const flat: string[] = []
  const own = ownHeaders(call, remainingMs)
  for (const [name, value] of Object.entries(own)) if (value !== undefined) flat.push(name, value)
  const { headers } = call
  for (const [name, value] of Object.entries(headers)) {
    const isForged = name.startsWith(OWN_PREFIX) && (name in own || call.parent === undefined)
    if (isForged || (keys && isOfWebhook(name))) continue
    append(flat, name, value)
  }
  if (!('idempotency-key' in headers)) flat.push('idempotency-key', keyOf(call))
  if (!('user-agent' in headers)) flat.push('user-agent', 'posthaste')
  // Not the key that an instruction may have of its own: nobody but us is to choose what is signed.
  if (keys) flat.push(...webhookHeaders(keys, messageIdOf(call), atMs, call.body))
  return flat
}

/** Most are not, and what makes sure of it takes longer than all else. */
function isOfWebhook(name: string): boolean {
  return name.startsWith('webhook') && WEBHOOK_HEADERS.includes(likenessOf(name))
}

/** The same for every attempt of a generation. */
function keyOf({ generation, id }: Call): string {
  return generation === 1 ? id : `${id}-${generation}`
}

/** Has no full stop, as the ids of other producers may have. */
function messageIdOf(call: Call): string {
  const key = keyOf(call)
  return key.includes('.') ? deriveId(call.acceptedAtMs, key) : key
}

function ownHeaders(call: Call, remainingMs: number): Record<string, string | undefined> {
  const { answered = 0, attempt, headers, id, parent } = call
  return {
    // Of a forward the one that it reports.
    'posthaste-id': parent !== undefined && 'posthaste-id' in headers ? parent : id,
    'posthaste-attempt': String(attempt),
    'posthaste-answered-attempts': String(answered),
    'posthaste-unanswered-attempts': String(Math.max(0, attempt - 1 - answered)),
    'posthaste-generation': String(call.generation),
    'posthaste-depth': String(call.depth),
    // Its time may have run out since it was found to be in time.
    'posthaste-remaining-seconds': (Math.max(0, remainingMs) / 1000).toFixed(3),
    'posthaste-correlation-id': call.correlationId,
  }
}

function append(flat: string[], name: string, value: Headers[string]): void {
  if (typeof value === 'string') flat.push(name, value)
  else for (const one of value) flat.push(name, one)
}
