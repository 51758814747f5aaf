import type { Call } from './call.js'
import { encodeCall } from './call-codec.js'
import { childOf, endHeaders } from './child.js'
import type { Destination } from './destination.js'
import { destinationRecord } from './destination-record.js'
import { formatInstant } from './instant.js'
import { type JournalEntry, outcomeOf } from './journal-entry.js'
import type { FinalState } from './lifecycle.js'

const NONE = new Uint8Array(0)
/** For the length of the body, and what is said of it, in the record of the call. */
const BODY_BYTES_DIGITS = 16

/**
 * Makes the call that tells a destination of the end that `entry` records. Its record has no more than `recordBytesMax`:
 * payloads are cut to fit. Returns undefined where the chain of invocations would grow beyond the depth limit.
 */
export function destinationCallOf(
  call: Call,
  { format, url }: Destination,
  entry: JournalEntry,
  recordBytesMax: number,
): Call | undefined {
  const state = entry.state as FinalState
  const isEvent = format === 'cloudevents'
  const headers = {
    'content-type': isEvent ? 'application/cloudevents+json' : 'application/json',
    ...endHeaders(call, state, outcomeOf(entry)),
  }
  const empty = childOf(call, 'destination', entry.atMs, { target: url, headers, body: NONE })
  if (!empty) return undefined
  const [before, after] = isEvent ? envelopeOf(call, empty.id, entry) : ['', '']
  const bytesMax = recordBytesMax - encodeCall(empty).length - BODY_BYTES_DIGITS - before.length - after.length
  return { ...empty, body: Buffer.from(before + destinationRecord(call, entry, bytesMax) + after) }
}

/** What stands around the data in a CloudEvent 1.0, in structured mode. */
function envelopeOf(call: Call, id: string, { atMs, state }: JournalEntry): [string, string] {
  const event = JSON.stringify({
    specversion: '1.0',
    id,
    source: 'urn:posthaste:invocations',
    type: `org.posthaste.invocation.${state}`,
    subject: call.id,
    time: formatInstant(atMs),
    datacontenttype: 'application/json',
  })
  return [`${event.slice(0, -1)},"data":`, '}']
}
