import { createHash } from 'node:crypto'
import type { LogName, NewRecord, Turn } from '@posthaste/stream'
import { decodeTurn, encodeToken, encodeTurn } from './turn-text.js'

/** So much of a hash tells the records of one turn apart. */
const HASH_LENGTH = 16
const NOTE = '.note'

/** What streams, subjects and buckets are called under one prefix. */
export class Naming {
  readonly prefix: string
  /** Where what is to be called now stands; timers that come due too. */
  readonly callsSubject: string

  constructor(prefix: string) {
    this.prefix = prefix
    this.callsSubject = `${prefix}.calls`
  }

  stream(log: LogName): string {
    return `${this.prefix}-${log}`
  }

  /** Timers stand in the stream of `calls`, for that is where they come due. */
  subjects(log: LogName): string[] {
    return log === 'calls' ? [this.callsSubject, `${this.prefix}.timers.>`] : [this.filter(log)]
  }

  /** Where records of a log are read. */
  filter(log: LogName): string {
    return log === 'calls' ? this.callsSubject : `${this.prefix}.${log}.>`
  }

  /**
   * One for each record of a turn: what is put twice is one timer, due when it was put last. Not one for each turn: the
   * server purges the subject of a timer that it fires, and with it one that has just taken its place.
   */
  timerSubject(timer: NewRecord): string {
    const hash = createHash('sha256').update(timer.value).digest('base64url')
    return `${this.prefix}.timers.${encodeTurn(timer)}.${hash.slice(0, HASH_LENGTH)}`
  }

  /** One for each turn, so that the server can tell whether it has an entry. */
  journalSubject(turn: Turn): string {
    return `${this.prefix}.journal.${encodeTurn(turn)}`
  }

  /** Beside the entries of a turn, so that a note is never taken for one. */
  noteSubject(turn: Turn): string {
    return this.journalSubject(turn) + NOTE
  }

  /** The turn that an entry or a note is about. */
  journalTurn(subject: string): Required<Turn> | undefined {
    const end = subject.endsWith(NOTE) ? -NOTE.length : undefined
    return decodeTurn(subject.slice(`${this.prefix}.journal.`.length, end))
  }

  /** One for each key. */
  keySubject(log: 'control' | 'claims', { key }: Turn): string {
    return `${this.prefix}.${log}.${encodeToken(key)}`
  }
}
