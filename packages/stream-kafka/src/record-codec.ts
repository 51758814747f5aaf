import type { LogName, NewRecord, NewTimer, StoredRecord, Turn } from '@posthaste/stream'
import type { IHeaders, KafkaMessage } from 'kafkajs'

/** `generation.attempt` of the turn, whose key is the record's key. A record without it comes from another producer. */
const TURN = 'posthaste-turn'
/** Of a timer: when it is due and when it was put, in milliseconds since the Unix epoch. */
const DUE = 'posthaste-due'
/** Of a timer: the partition of `calls` it comes to. */
const HOME = 'posthaste-home'
/** Of a watchdog: the offset of the record whose place it has taken, and `early` if it comes before its time. */
const WATCHDOG = 'posthaste-watchdog'
/** Of a journal entry: the offset of the record it is about, who wrote it, and `out` if that record was checked out. */
const ABOUT = 'posthaste-about'
/** Of a record of the journal that is no entry, but a note for the next owner: the offset of the record that was checked out. */
const CHECKED_OUT = 'posthaste-checked-out'
/** Of a journal entry of a turn whose record nobody had in hand: who wrote it. */
const ACTED = 'posthaste-acted'
/** Of a record of the journal that tells of a turn and decides nothing. */
const NOTE = 'posthaste-note'

/** A record on its way to a topic. */
export interface Outgoing {
  readonly topic: string
  readonly partition: number
  readonly key: string
  /** What is empty has none: where the last record of each key is kept, that removes the key. */
  readonly value: Buffer | null
  readonly headers: IHeaders
  /** Where it stands, once it was stored. */
  offset: number
}

/** What a journal entry is about. */
export interface About {
  /** Offset on `calls` of the record whose turn it ends. */
  readonly at: number
  readonly writer: string
  readonly isOut: boolean
}

/** Of what a watchdog has the place. */
export interface Watched {
  readonly at: number
  /** Whether another one comes when its time has come. */
  readonly isEarly: boolean
}

export interface Due {
  readonly dueMs: number
  readonly putMs: number
}

export function outgoing(topic: string, partition: number, record: NewRecord, extra?: IHeaders): Outgoing {
  const { value } = record
  return {
    topic,
    partition,
    key: record.key,
    value: value.length === 0 ? null : toBuffer(value),
    headers: { [TURN]: `${record.generation ?? 1}.${record.attempt ?? 1}`, ...extra },
    offset: -1,
  }
}

export function journalHeaders({ at, isOut, writer }: About): IHeaders {
  return { [ABOUT]: isOut ? `${at} ${writer} out` : `${at} ${writer}` }
}

export function timerHeaders({ dueMs }: NewTimer, home: number): IHeaders {
  return { [DUE]: `${Math.ceil(dueMs)} ${Date.now()}`, [HOME]: String(home) }
}

export function watchdogHeaders({ at, isEarly }: Watched): IHeaders {
  return { [WATCHDOG]: isEarly ? `${at} early` : String(at) }
}

export function checkedOutHeaders(at: number): IHeaders {
  return { [CHECKED_OUT]: String(at) }
}

export function actedHeaders(writer: string): IHeaders {
  return { [ACTED]: writer }
}

export function noteHeaders(): IHeaders {
  return { [NOTE]: '' }
}

export function stored(log: LogName, partition: number, message: KafkaMessage): StoredRecord {
  const turn = textOf(message.headers, TURN)
  const record = {
    log,
    partition,
    offset: Number(message.offset),
    key: turn === undefined ? '' : (message.key?.toString() ?? ''),
    value: message.value ?? Buffer.alloc(0),
    appendedAtMs: Number(message.timestamp),
  }
  // Most are of the first attempt: that needs not be said.
  return turn === undefined || turn === '1.1' ? record : { ...record, ...turnOf(turn) }
}

export function aboutOf(message: KafkaMessage): About | undefined {
  const text = textOf(message.headers, ABOUT)
  if (text === undefined) return undefined
  const [at, writer = '', out] = text.split(' ')
  return { at: Number(at), writer, isOut: out === 'out' }
}

/** Undefined if it is no timer. */
export function dueOf(message: KafkaMessage): Due | undefined {
  const [dueMs, putMs] = textOf(message.headers, DUE)?.split(' ') ?? []
  return dueMs === undefined ? undefined : { dueMs: Number(dueMs), putMs: Number(putMs) }
}

export function homeOf(message: KafkaMessage): number {
  return Number(textOf(message.headers, HOME) ?? 0)
}

/** Undefined if it is no watchdog. */
export function watchedBy(message: KafkaMessage): Watched | undefined {
  const [at, early] = textOf(message.headers, WATCHDOG)?.split(' ') ?? []
  return at === undefined ? undefined : { at: Number(at), isEarly: early === 'early' }
}

/** Which record was checked out, if this is a note of that; undefined if it is an entry. */
export function checkedOutBy(message: KafkaMessage): number | undefined {
  const text = textOf(message.headers, CHECKED_OUT)
  return text === undefined ? undefined : Number(text)
}

/** Who wrote an entry of a turn whose record nobody had in hand; undefined if it is no such entry. */
export function actedBy(message: KafkaMessage): string | undefined {
  return textOf(message.headers, ACTED)
}

export function isNote(message: KafkaMessage): boolean {
  return textOf(message.headers, NOTE) !== undefined
}

/** A timer on its way to another lane, or to `calls` if `dueMs` is left out. */
export function moved(message: KafkaMessage, topic: string, partition: number, dueMs?: number): Outgoing {
  const { [DUE]: _due, [HOME]: home, ...headers } = message.headers ?? {}
  if (dueMs !== undefined) {
    headers[DUE] = `${dueMs} ${Date.now()}`
    if (home !== undefined) headers[HOME] = home
  }
  return {
    topic,
    partition,
    key: message.key?.toString() ?? '',
    value: message.value,
    headers,
    offset: -1,
  }
}

export function turnText({ attempt = 1, generation = 1, key }: Turn): string {
  return `${generation}.${attempt} ${key}`
}

/** Bytes that a record takes in a request, nearly. */
export function bytesOf({ key, value }: Pick<Outgoing, 'key' | 'value'>): number {
  return key.length + (value?.length ?? 0) + 150
}

function toBuffer(value: Uint8Array): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

function turnOf(text: string): { generation: number; attempt: number } {
  const [generation, attempt] = text.split('.')
  return { generation: Number(generation), attempt: Number(attempt) }
}

function textOf(headers: IHeaders | undefined, name: string): string | undefined {
  const value = headers?.[name]
  return value === undefined || Array.isArray(value) ? undefined : value.toString()
}
