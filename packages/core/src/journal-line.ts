import type { Call } from './call.js'
import type { Children } from './child.js'
import type { Headers } from './headers.js'
import type { Attempt } from './invocation.js'
import { type Failure, INVOCATION_STATES, type JournalState } from './lifecycle.js'
import { bufferOf, firstLineBytes } from './line-record.js'
import type { TickEntry } from './schedule-codec.js'

/** The first line of a journal record as it stands there, times as text. `decodeJournalEntry` says what it means. */
export interface JournalLine extends Children {
  readonly id: string
  readonly generation: number
  readonly attempt: number
  readonly state: JournalState
  readonly at: string
  readonly acceptedAt: string
  readonly tick?: TickEntry
  readonly target?: string
  readonly method?: string
  readonly correlationId?: string
  readonly parent?: string
  readonly tenant?: string
  readonly answered?: number
  readonly startedAt?: string
  readonly durationMs?: number
  readonly listener?: string
  readonly failure?: Failure
  readonly nextAttemptAt?: string
  readonly since?: string
  readonly response?: { readonly status: number; readonly headers: Headers; readonly bodyBytes: number }
  readonly responseBytes: number
  readonly recordBytes: number
}

/** What of a journal record says where its invocation stands, and how it is found. */
export interface JournalPeek {
  readonly id: string
  readonly generation: number
  readonly attempt: number
  readonly state: JournalState
  readonly atMs: number
  readonly acceptedAtMs: number
  /** Whether it is of a schedule. */
  readonly isTick: boolean
  readonly target: string | undefined
  readonly correlationId: string | undefined
  readonly parent: string | undefined
  readonly tenant: string | undefined
  /** The bytes of the first line, and of the two parts that stand behind it. */
  readonly lineBytes: number
  readonly responseBytes: number
  readonly recordBytes: number
}

const STATES: ReadonlySet<string> = new Set(INVOCATION_STATES.filter((state) => state !== 'queued'))
const COUNT_MAX = 1_000_000_000
const ID_LENGTH_MAX = 256

// How encodeJournalEntry begins and ends a line.
const START =
  /^\{"v":1,"id":"([^"\\]+)","generation":(\d+),"attempt":(\d+),"state":"([a-z]+)","at":"([^"\\]+)","acceptedAt":"([^"\\]+)"(,"tick":\{[^{}]*\})?(?:,"target":"([^"\\]+)")?(?:,"method":"[^"\\]+")?(?:,"correlationId":"([^"\\]+)")?(?:,"parent":"([^"\\]+)")?(?:,"tenant":"([^"\\]+)")?,"(?!tick"|target"|method"|correlationId"|parent"|tenant")/
const END = /"responseBytes":(\d+),"recordBytes":(\d+),"bytes":\d+\}$/
const END_CHARACTERS = 80

/**
 * Reads the little of a journal record that most readers need, in a quarter of the time that all of it takes, and checks
 * no more than what they would stumble over: Posthaste alone writes the journal. Undefined if it is not one.
 */
export function peekJournal(record: Uint8Array): JournalPeek | undefined {
  const lineBytes = firstLineBytes(record)
  const text = bufferOf(record).toString('latin1', 0, lineBytes)
  const start = START.exec(text)
  const end = start && END.exec(text.slice(-END_CHARACTERS))
  if (!end) return checked(peekWhole(record, lineBytes), record.length)
  const peek = {
    id: start[1] as string,
    generation: Number(start[2]),
    attempt: Number(start[3]),
    state: start[4] as JournalState,
    atMs: Date.parse(start[5] as string),
    acceptedAtMs: Date.parse(start[6] as string),
    isTick: start[7] !== undefined,
    target: start[8],
    correlationId: start[9],
    parent: start[10],
    tenant: start[11],
    lineBytes,
    responseBytes: Number(end[1]),
    recordBytes: Number(end[2]),
  }
  return checked(peek, record.length)
}

/** Reads the first line of a journal record; undefined if it is not one. */
export function readJournalLine(record: Uint8Array): JournalLine | undefined {
  try {
    return JSON.parse(bufferOf(record).toString('utf8', 0, firstLineBytes(record))) as JournalLine
  } catch {
    return undefined
  }
}

/** The attempt that an entry tells of; undefined if its turn ended without one. */
export function attemptOf(line: JournalLine): Attempt | undefined {
  const { answered, attempt, durationMs = 0, failure, generation, listener, response, startedAt } = line
  if (startedAt === undefined) return undefined
  return {
    generation,
    attempt,
    ...(answered !== undefined && { answered }),
    startedAtMs: Date.parse(startedAt),
    durationMs,
    ...(response && { status: response.status }),
    ...(failure && { failure }),
    ...(listener !== undefined && { listener }),
  }
}

/** What a retry is told of the attempts before it, by the line of the last one; nothing if that was tried no more. */
export function retryOf({ answered = 0, response, since }: JournalLine): Pick<Call, 'answered' | 'sinceMs'> {
  const answers = answered + (response ? 1 : 0)
  return {
    ...(answers > 0 && { answered: answers }),
    ...(since !== undefined && { sinceMs: Date.parse(since) }),
  }
}

/** As `peekJournal`, of a line that is written otherwise: by another version, or with words that JSON escapes. */
function peekWhole(record: Uint8Array, lineBytes: number): JournalPeek | undefined {
  const line = readJournalLine(record)
  if (typeof line !== 'object' || line === null) return undefined
  const { acceptedAt, at, attempt, correlationId, generation, id, parent, state, target, tenant } = line
  const { recordBytes, responseBytes } = line
  return {
    ...{ id, generation, attempt, state, target, correlationId, parent, tenant, responseBytes, recordBytes },
    atMs: Date.parse(at),
    acceptedAtMs: Date.parse(acceptedAt),
    isTick: line.tick !== undefined,
    lineBytes,
  }
}

function checked(peek: JournalPeek | undefined, bytes: number): JournalPeek | undefined {
  if (!peek) return undefined
  const { acceptedAtMs, atMs, attempt, generation, id, lineBytes, recordBytes, responseBytes, state } = peek
  const isWhole = lineBytes + 1 + responseBytes + recordBytes === bytes
  const isRead = isWhole && isCount(generation) && isCount(attempt) && !Number.isNaN(atMs + acceptedAtMs)
  return isRead && STATES.has(state) && typeof id === 'string' && id.length <= ID_LENGTH_MAX ? peek : undefined
}

function isCount(number: number): boolean {
  return Number.isInteger(number) && number > 0 && number <= COUNT_MAX
}
