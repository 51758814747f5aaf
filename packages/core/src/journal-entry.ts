import { Compile } from 'typebox/schema'
import type { Call } from './call.js'
import type { Children } from './child.js'
import { PosthasteError } from './errors.js'
import { type Headers, newHeaders } from './headers.js'
import { formatInstant, parseInstant } from './instant.js'
import { Type } from './json-schema.js'
import type { Failure, JournalState } from './lifecycle.js'
import { LIMITS } from './limits.js'
import { joinLine, splitLine } from './line-record.js'
import type { Outcome } from './outcome.js'
import type { Tick } from './schedule.js'
import { isTick, tickOf } from './schedule.js'
import { readTick, TickEntrySchema, writeTick } from './schedule-codec.js'

/**
 * One thing that happened to an invocation. It says enough of the instruction to show the invocation by itself, and a
 * dead letter holds the record as it was, so that it can be put right and sent again. Times in milliseconds since the
 * Unix epoch.
 */
export interface JournalEntry extends Children {
  readonly id: string
  readonly generation: number
  readonly attempt: number
  readonly atMs: number
  readonly state: JournalState
  readonly acceptedAtMs: number
  /** Of a tick: what it did. */
  readonly tick?: Tick
  readonly target?: string
  readonly method?: string
  readonly correlationId?: string
  readonly parent?: string
  readonly tenant?: string
  /** How many attempts before this one, of its generation, were answered; left out for none. */
  readonly answered?: number
  readonly startedAtMs?: number
  readonly durationMs?: number
  /** The listener that wrote it: that made the attempt, if there was one. */
  readonly listener?: string
  readonly failure?: Failure
  readonly nextAttemptAtMs?: number
  /** Of what is tried again: when the first attempt of its generation could be made. */
  readonly sinceMs?: number
  readonly response?: { readonly status: number; readonly headers: Headers; readonly bodyBytes: number }
  readonly responseBody: Uint8Array
  /**
   * Of what did not succeed, and of what is scheduled: the record as it was, cut to `recordBytes` if it could not be read
   * and is too large to keep.
   */
  readonly record: Uint8Array
}

const Bytes = Type.Integer({ minimum: 0 })
const Text = Type.Optional(Type.String())

const Child = Type.Optional(Type.Object({ id: Text, refused: Text }))

const schema = Compile(
  Type.Object({
    v: Type.Integer(),
    id: Type.String(),
    generation: Type.Integer(),
    attempt: Type.Integer(),
    state: Type.String(),
    at: Type.String(),
    acceptedAt: Type.String(),
    tick: Type.Optional(TickEntrySchema),
    target: Text,
    method: Text,
    correlationId: Text,
    parent: Text,
    tenant: Text,
    answered: Type.Optional(Type.Integer()),
    startedAt: Text,
    durationMs: Type.Optional(Type.Number()),
    listener: Text,
    failure: Type.Optional(Type.Object({ code: Type.String(), detail: Type.String() })),
    nextAttemptAt: Text,
    since: Text,
    forward: Child,
    destination: Child,
    response: Type.Optional(Type.Object({ status: Type.Integer(), headers: Type.Object({}), bodyBytes: Bytes })),
    responseBytes: Bytes,
    recordBytes: Bytes,
    bytes: Bytes,
  }),
)

const NONE = new Uint8Array(0)

/** A failure may quote what a foreign record brought, such as a header's name of any length. */
const DETAIL_LENGTH_MAX = 2_000

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** What a journal entry says beside the call and its outcome. */
export type Happening = Mutable<
  Pick<JournalEntry, 'atMs' | 'state' | 'startedAtMs' | 'failure' | 'nextAttemptAtMs' | 'sinceMs' | 'listener'> &
    Partial<Pick<JournalEntry, 'record' | 'tick'>>
>

/** The entry for an attempt of `call`, or for a final state without one. */
export function journalEntryOf(call: Call, what: Happening, outcome: Outcome | undefined): JournalEntry {
  const response = outcome?.kind === 'answered' ? outcome.response : undefined
  const entry: Mutable<JournalEntry> = {
    id: call.id,
    generation: call.generation,
    attempt: call.attempt,
    atMs: what.atMs,
    state: what.state,
    acceptedAtMs: call.acceptedAtMs,
    target: call.target,
    method: call.method,
    responseBody: response?.body ?? NONE,
    record: what.record ?? NONE,
  }
  // Whoever reads it is to see that it is of a schedule.
  const tick = what.tick ?? (isTick(call) ? tickOf(call.schedule, 'waited') : undefined)
  if (tick) entry.tick = tick
  if (call.correlationId !== undefined) entry.correlationId = call.correlationId
  if (call.parent !== undefined) entry.parent = call.parent
  if (call.tenant !== undefined) entry.tenant = call.tenant
  if (call.answered !== undefined) entry.answered = call.answered
  if (outcome) {
    entry.startedAtMs = outcome.startedAtMs
    entry.durationMs = outcome.durationMs
  }
  if (what.startedAtMs !== undefined) entry.startedAtMs = what.startedAtMs
  if (what.listener !== undefined) entry.listener = what.listener
  if (what.failure) entry.failure = { ...what.failure, detail: what.failure.detail.slice(0, DETAIL_LENGTH_MAX) }
  if (what.nextAttemptAtMs !== undefined) entry.nextAttemptAtMs = what.nextAttemptAtMs
  if (what.sinceMs !== undefined) entry.sinceMs = what.sinceMs
  if (response) {
    const { bodyBytes, headers, status } = response
    entry.response = { status, headers: keptHeaders(headers), bodyBytes }
  }
  return entry
}

/** The outcome that an entry tells of: what `journalEntryOf` was given, less what the journal does not keep. */
export function outcomeOf({
  durationMs = 0,
  failure,
  response,
  responseBody,
  startedAtMs,
}: JournalEntry): Outcome | undefined {
  if (startedAtMs === undefined) return undefined
  if (response) return { kind: 'answered', startedAtMs, durationMs, response: { ...response, body: responseBody } }
  const { code, detail } = failure ?? { code: 'call-failed', detail: '' }
  return { kind: 'unanswered', startedAtMs, durationMs, code, detail }
}

/** Without these a body cannot be read. */
const BODY_HEADERS = ['content-type', 'content-encoding', 'content-language']

/** The response headers that the journal keeps: no cookies, and as many as fit, those of the body first. */
function keptHeaders(headers: Headers): Headers {
  const kept = newHeaders()
  let bytes = 0
  for (const name of [...BODY_HEADERS, ...Object.keys(headers)]) {
    const value = headers[name]
    if (value === undefined || name in kept || name === 'set-cookie') continue
    bytes += name.length + String(value).length
    if (bytes > LIMITS.responseHeaderBytesMax) break
    kept[name] = value
  }
  return kept
}

/** Writes an entry as a record: one line of JSON, then the response's body and the dead letter's record. */
export function encodeJournalEntry(entry: JournalEntry): Uint8Array {
  const { startedAtMs, nextAttemptAtMs, responseBody, record, sinceMs } = entry
  return joinLine(
    {
      v: 1,
      id: entry.id,
      generation: entry.generation,
      attempt: entry.attempt,
      state: entry.state,
      at: formatInstant(entry.atMs),
      acceptedAt: formatInstant(entry.acceptedAtMs),
      // Here, so that whoever peeks sees it.
      tick: entry.tick && writeTick(entry.tick),
      target: entry.target,
      method: entry.method,
      correlationId: entry.correlationId,
      parent: entry.parent,
      tenant: entry.tenant,
      answered: entry.answered,
      startedAt: startedAtMs === undefined ? undefined : formatInstant(startedAtMs),
      durationMs: entry.durationMs,
      listener: entry.listener,
      failure: entry.failure,
      nextAttemptAt: nextAttemptAtMs === undefined ? undefined : formatInstant(nextAttemptAtMs),
      since: sinceMs === undefined ? undefined : formatInstant(sinceMs),
      forward: entry.forward,
      destination: entry.destination,
      response: entry.response,
      responseBytes: responseBody.length,
      recordBytes: record.length,
      bytes: responseBody.length + record.length,
    },
    [responseBody, record],
  )
}

/**
 * Reads a journal record that Posthaste wrote.
 * @throws PosthasteError `record-unreadable`
 */
export function decodeJournalEntry(bytes: Uint8Array): JournalEntry {
  const { document, rest } = splitLine(bytes, 'bytes')
  if (!rest || !schema.Check(document) || document.responseBytes + document.recordBytes !== rest.length) {
    throw new PosthasteError('record-unreadable', 'This is not a journal entry.')
  }
  const { v: _, at, acceptedAt, startedAt, nextAttemptAt, since, ...others } = document
  const { tick, responseBytes, recordBytes, bytes: __, ...same } = others
  return {
    // What the schema leaves open, such as the words for states, is as encodeJournalEntry wrote it.
    ...(same as Omit<JournalEntry, 'atMs' | 'acceptedAtMs' | 'tick' | 'responseBody' | 'record'>),
    atMs: readInstant(at),
    acceptedAtMs: readInstant(acceptedAt),
    ...(tick && { tick: readTick(tick, readInstant) }),
    ...(startedAt !== undefined && { startedAtMs: readInstant(startedAt) }),
    ...(nextAttemptAt !== undefined && { nextAttemptAtMs: readInstant(nextAttemptAt) }),
    ...(since !== undefined && { sinceMs: readInstant(since) }),
    responseBody: rest.subarray(0, responseBytes),
    record: rest.subarray(responseBytes),
  }
}

function readInstant(text: string): number {
  const ms = parseInstant(text)
  if (ms === undefined) throw new PosthasteError('record-unreadable', 'A time in this journal entry cannot be read.')
  return ms
}
