import type { Call } from './call.js'
import { encodeCall } from './call-codec.js'
import { childOf, endHeaders } from './child.js'
import type { Destination } from './destination.js'
import { destinationRecord } from './destination-record.js'
import { fittingHeaders, type Headers } from './headers.js'
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
  if (format === 'event') return eventCallOf(call, url, entry, recordBytesMax)
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

/** The body of the call as it came, as a dead-letter queue of AWS Lambda gets it; none if there is no room for it. */
function eventCallOf(call: Call, url: string, entry: JournalEntry, recordBytesMax: number): Call | undefined {
  const said = [endHeaders(call, entry.state as FinalState, outcomeOf(entry)), eventHeaders(call, entry)]
  const callWith = (body: Uint8Array, headers: Headers): Call | undefined =>
    childOf(call, 'destination', entry.atMs, { target: url, headers: fittingHeaders([...said, headers]), body })
  const whole = callWith(call.body, bodyHeaders(call))
  if (!whole || encodeCall(whole).length <= recordBytesMax) return whole
  const cut = { 'posthaste-truncated': String(call.body.length) }
  return callWith(NONE, { ...cut, ...bodyHeaders({ ...call, body: NONE }) })
}

/** What a call says of its body. Of no body nothing is encoded. */
function bodyHeaders({ body, headers }: Call): Headers {
  const names = body.length > 0 ? ['content-type', 'content-encoding'] : ['content-type']
  return Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])))
}

const ERROR_MESSAGE_CHARACTERS = 1_024
/** What AWS Lambda would call it where there was no answer. */
const NO_ANSWER_STATUS = 503

/** What AWS Lambda tells of a dead letter; of a success only whose it is. */
function eventHeaders({ id }: Call, { failure, response, state }: JournalEntry): Headers {
  if (state === 'succeeded') return { requestid: id }
  const { detail } = failure ?? { detail: 'It expired.' }
  return {
    requestid: id,
    errorcode: String(response?.status ?? NO_ANSWER_STATUS),
    errormessage: detail.slice(0, ERROR_MESSAGE_CHARACTERS).replace(/[^\x20-\x7e]/g, '?'),
  }
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
