import type { LogName, NewRecord, Turn } from '@posthaste/stream'
import { encodeTurn } from './turn-text.js'

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
    return log === 'calls' ? [this.callsSubject, this.timerSubjects] : [this.journalSubjects]
  }

  get timerSubjects(): string {
    return `${this.prefix}.timers.>`
  }

  get journalSubjects(): string {
    return `${this.prefix}.journal.>`
  }

  /** One for each turn: what is put twice is one timer, due when it was put last. */
  timerSubject(turn: Turn): string {
    return `${this.prefix}.timers.${encodeTurn(turn)}`
  }

  /** One for each turn, so that the server can tell whether it has an entry. */
  journalSubject(turn: Turn): string {
    return `${this.prefix}.journal.${encodeTurn(turn)}`
  }

  /** Where records of a log are read. */
  filter(log: LogName): string {
    return log === 'calls' ? this.callsSubject : this.journalSubjects
  }

  subjectFor(log: LogName, record: NewRecord): string {
    return log === 'calls' ? this.callsSubject : this.journalSubject(record)
  }
}
