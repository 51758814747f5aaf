import type { Call } from './call.js'
import type { Headers } from './headers.js'
import { formatInstant } from './instant.js'
import type { JournalEntry } from './journal-entry.js'
import type { FinalState } from './lifecycle.js'
import { fitPayloads, type Payload, type ShownPayload } from './payload.js'
import { maskedUrl } from './secrets.js'

/** In the words of AWS Lambda, whose destinations get such a record. */
const CONDITIONS: Readonly<Partial<Record<FinalState, string>>> = {
  succeeded: 'Success',
  failed: 'RetriesExhausted',
  expired: 'EventAgeExceeded',
}

/** For how payloads are told to be encoded and cut. */
const FLAGS_BYTES = 1_024
/** Far longer than any list of content codings. */
const CODINGS_LENGTH_MAX = 64

/**
 * The record of an invocation's end for a destination, as JSON of `bytesMax` at the most: that of AWS Lambda, with what it
 * has no words for under `posthaste`.
 */
export function destinationRecord(call: Call, entry: JournalEntry, bytesMax: number): string {
  const { response, responseBody } = entry
  const frame = (request?: ShownPayload, answer?: ShownPayload): string =>
    objectText([
      ['version', '"1.0"'],
      ['timestamp', JSON.stringify(formatInstant(entry.atMs))],
      ['requestContext', requestContextOf(call, entry)],
      ...payloadMembers('requestPayload', request),
      ['requestPayloadContentEncoding', request && codingsOf(call.headers)],
      ['responseContext', responseContextOf(entry)],
      ...payloadMembers('responsePayload', answer),
      ['responsePayloadContentEncoding', answer && response && codingsOf(response.headers)],
      ['posthaste', ownContextOf(call, entry)],
    ])
  const sent = payloadOf(call.body, call.body.length, call.headers)
  const got = response && payloadOf(responseBody, response.bodyBytes, response.headers)
  return frame(...fitPayloads(sent, got, bytesMax - Buffer.byteLength(frame()) - FLAGS_BYTES))
}

function payloadOf(bytes: Uint8Array, wholeBytes: number, headers: Headers): Payload {
  const type = headers['content-type']
  return {
    bytes,
    wholeBytes,
    contentType: type === undefined ? undefined : String(type),
    contentEncoding: codingsOf(headers),
  }
}

/** How a body is compressed, as JSON; undefined if it is not. */
function codingsOf(headers: Headers): string | undefined {
  const codings = String(headers['content-encoding'] ?? '').slice(0, CODINGS_LENGTH_MAX)
  return codings === '' || codings === 'identity' ? undefined : JSON.stringify(codings)
}

function requestContextOf(call: Call, { attempt, startedAtMs, state }: JournalEntry): string {
  return JSON.stringify({
    requestId: call.id,
    functionArn: maskedUrl(call.target),
    condition: CONDITIONS[state as FinalState],
    approximateInvokeCount: startedAtMs === undefined ? attempt - 1 : attempt,
  })
}

/** Missing where the last attempt was not made: it expired. */
function responseContextOf({ failure, response, startedAtMs }: JournalEntry): string | undefined {
  if (startedAtMs === undefined) return undefined
  const functionError = failure && 'Unhandled'
  return JSON.stringify({ statusCode: response?.status, executedVersion: '$LATEST', functionError })
}

function ownContextOf(call: Call, { durationMs, failure, startedAtMs, state }: JournalEntry): string {
  return JSON.stringify({
    state,
    generation: call.generation,
    correlationId: call.correlationId,
    method: call.method,
    acceptedAt: formatInstant(call.acceptedAtMs),
    startedAt: startedAtMs === undefined ? undefined : formatInstant(startedAtMs),
    durationSeconds: durationMs === undefined ? undefined : durationMs / 1000,
    failure,
  })
}

function payloadMembers(name: string, payload: ShownPayload | undefined): [string, string | undefined][] {
  return [
    [name, payload?.text],
    [`${name}Encoding`, payload && JSON.stringify(payload.encoding)],
    [`${name}Truncated`, payload?.truncatedBytes === undefined ? undefined : String(payload.truncatedBytes)],
  ]
}

/** An object of members that are JSON already, so that what was sent stands there as it was. */
function objectText(members: readonly (readonly [name: string, text: string | undefined])[]): string {
  const present = members.filter(([, text]) => text !== undefined)
  return `{${present.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`
}
