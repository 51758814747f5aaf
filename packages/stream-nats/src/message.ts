import type { LogName, NewRecord, NewTimer, Turn } from '@posthaste/stream'
import type { MsgHdrs } from 'nats'
import type { Naming } from './naming.js'
import { decodeTurn, encodeTurn } from './turn-text.js'

/** A message that a stream is to store. */
export interface Message {
  readonly subject: string
  readonly data: Uint8Array
  readonly headers: Record<string, string[]>
  /** Not to be part of a batch. */
  readonly isAlone?: boolean
}

/** Drops what is published twice within a few minutes. Kept with the message, so it also says the turn. */
const MSG_ID = 'Nats-Msg-Id'
/** Tells our ids from those of other producers. */
const OURS = 'posthaste '
/**
 * Says the turn where the id does not: on what a timer brings forth, for the server takes that away, and where the same
 * turn may be written again and again.
 */
const TURN = 'Posthaste-Turn'
/** When a timer was due, in milliseconds since the Unix epoch. On what a timer brings forth. */
const DUE = 'Posthaste-Due'
/** Marks what may have been written before. */
const COPY = 'Posthaste-Copy'
const EXPECTED = 'Nats-Expected-Last-Subject-Sequence'

/** What the headers of one message take at the most, with a turn in two of them. */
export const HEADER_BYTES_MAX = 8 * 1024

export function callMessage(naming: Naming, record: NewRecord, isCopy = false): Message {
  const headers: Message['headers'] = { [MSG_ID]: [OURS + encodeTurn(record)] }
  if (isCopy) headers[COPY] = ['1']
  return { subject: naming.callsSubject, data: record.value, headers }
}

/** `decides`: the server is to refuse it if the turn has an entry. */
export function journalMessage(naming: Naming, record: NewRecord, decides = false): Message {
  return {
    subject: naming.journalSubject(record),
    data: record.value,
    headers: decides ? { [EXPECTED]: ['0'] } : {},
  }
}

/** An entry of the journal that decides nothing. */
export function noteMessage(naming: Naming, record: NewRecord): Message {
  return { subject: naming.noteSubject(record), data: record.value, headers: {} }
}

const TTL = 'Nats-TTL'
/** For whoever follows and was away. */
const REMOVAL_KEPT = '168h'

/** An empty one takes the place of what stood under the key; after a week the server removes that as well. */
export function controlMessage(naming: Naming, record: NewRecord): Message {
  const message = keyedMessage(naming, 'control', record)
  if (record.value.length === 0) message.headers[TTL] = [REMOVAL_KEPT]
  return message
}

function claimMessage(naming: Naming, record: NewRecord): Message {
  return keyedMessage(naming, 'claims', record)
}

function keyedMessage(naming: Naming, log: 'control' | 'claims', record: NewRecord): Message {
  return { subject: naming.keySubject(log, record), data: record.value, headers: { [TURN]: [encodeTurn(record)] } }
}

const MESSAGE_OF: Readonly<Record<LogName, (naming: Naming, record: NewRecord) => Message>> = {
  calls: callMessage,
  journal: journalMessage,
  control: controlMessage,
  claims: claimMessage,
}

/** What is appended to a log. */
export function messageFor(naming: Naming, log: LogName, record: NewRecord): Message {
  return MESSAGE_OF[log](naming, record)
}

/**
 * How much earlier than due the server is asked for a timer: it looks twice a second for what is due. Who gets it holds it
 * until its time.
 */
const AHEAD_MS = 750

/**
 * A message schedule of the server (ADR-51). What it brings forth has its headers: those of a batch would make a server
 * that restarts believe that it stopped in the middle of one.
 */
export function timerMessage(naming: Naming, timer: NewTimer, isCopy = false): Message {
  const dueMs = Math.max(0, Math.ceil(timer.dueMs))
  const headers: Message['headers'] = {
    [TURN]: [encodeTurn(timer)],
    [DUE]: [String(dueMs)],
    'Nats-Schedule': [`@at ${new Date(Math.max(0, dueMs - AHEAD_MS)).toISOString()}`],
    'Nats-Schedule-Target': [naming.callsSubject],
  }
  if (isCopy) headers[COPY] = ['1']
  return { subject: naming.timerSubject(timer), data: timer.value, headers, isAlone: true }
}

/** What the headers of a stored message say, unless it is of the journal. */
export interface Marks {
  /** Undefined for a record of another producer. */
  readonly turn: Required<Turn> | undefined
  /** When it was due, if a timer brought it forth. */
  readonly dueMs: number | undefined
  readonly isCopy: boolean
}

const NO_MARKS: Marks = { turn: undefined, dueMs: undefined, isCopy: false }

export function readMarks(headers: MsgHdrs | undefined): Marks {
  if (!headers) return NO_MARKS
  const id = headers.get(MSG_ID)
  if (id.startsWith(OURS)) {
    return { turn: decodeTurn(id.slice(OURS.length)), dueMs: undefined, isCopy: headers.get(COPY) !== '' }
  }
  const due = headers.get(DUE)
  return {
    turn: decodeTurn(headers.get(TURN)),
    dueMs: due === '' ? undefined : Number(due),
    isCopy: headers.get(COPY) !== '',
  }
}
