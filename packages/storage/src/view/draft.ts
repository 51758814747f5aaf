import {
  attemptOf,
  type Call,
  callLineOf,
  type Directive,
  decideVerdict,
  encodeCall,
  type JournalLine,
  joinStandings,
  readJournalLine,
  standingOfCall,
  standingOfDirective,
  standingOfEntry,
  tenantOfLine,
} from '@posthaste/core'
import { decodeAttempts, encodeAttempts, withAttempt } from './attempts.js'
import { type Hashes, hashesOf } from './hashes.js'
import { HEAD_SOURCES, type HeadSource, NEW_ROW, type Row } from './row.js'
import { readCall, type Told, type ToldCall, type ToldEntry } from './told.js'

const NONE = new Uint8Array(0)

/** A row as it is after what was told of it, and what belongs beside it where that changes: empty for nothing any more. */
export interface Draft {
  readonly row: Row
  readonly record: Uint8Array | undefined
  readonly responseBody: Uint8Array | undefined
}

/**
 * Decides what becomes of a row, or of none, by what a batch tells of its invocation and by the directive that stands;
 * undefined if there is still nothing to show. What is told again changes nothing.
 */
export function decideDraft(
  before: Row | undefined,
  told: Told,
  directive: Directive | undefined,
  tenantOf: (name: string) => number,
): Draft | undefined {
  const drafting = new Drafting(before ?? NEW_ROW, tenantOf)
  for (const entry of told.entries) drafting.addEntry(entry)
  for (const call of told.calls) drafting.addCall(call, directive)
  if (directive) drafting.addDirective(directive)
  return drafting.draft()
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

class Drafting {
  readonly #row: Mutable<Row>
  /** The number of a tenant. */
  readonly #tenantOf: (name: string) => number
  #record: Uint8Array | undefined
  #responseBody: Uint8Array | undefined

  constructor(before: Row, tenantOf: (name: string) => number) {
    this.#row = { ...before }
    this.#tenantOf = tenantOf
  }

  draft(): Draft | undefined {
    const row = this.#row
    if (!this.#isKnown) return undefined
    return { row, record: this.#record, responseBody: this.#responseBody }
  }

  addEntry(entry: ToldEntry): void {
    if (this.#isOfAnother(entry.tenant)) return
    if (entry.state === 'scheduled' || entry.state === 'running') this.#addNote(entry)
    else this.#addTurnEnd(entry)
    this.#row.tenant = this.#tenantOf(entry.tenant)
    this.#describe(entry.acceptedAtMs, entry)
    if (entry.recordBytes > 0) this.#takeHead(recordOf(entry), entry.generation, HEAD_SOURCES.journal)
  }

  addCall(told: ToldCall, directive: Directive | undefined): void {
    const { ended, generation } = this.#row.standing
    // What has ended is not read: its entry has told all but the instruction.
    if (ended && told.generation <= generation) {
      this.#takeHead(ownRecord(told), told.generation, HEAD_SOURCES.calls)
      return
    }
    const call = told.call ?? readCall(told.record)
    if (!call || this.#isOfAnother(call.tenant ?? '')) return
    if (!this.#isKnown && directive && isLeftOver(call, told.record.appendedAtMs, directive)) return
    this.#row.standing = joinStandings(this.#row.standing, standingOfCall(call, told.record.appendedAtMs))
    this.#row.tenant = this.#tenantOf(call.tenant ?? '')
    this.#describe(call.acceptedAtMs, hashesOf(call))
    const record = ownRecord({ ...told, call })
    this.#takeHead(record, call.generation, HEAD_SOURCES.calls)
    this.#takeRecord(record, call.generation)
  }

  addDirective(directive: Directive): void {
    const told = standingOfDirective(directive)
    if (told && this.#isKnown) this.#row.standing = joinStandings(this.#row.standing, told)
  }

  get #isKnown(): boolean {
    return this.#row.standing.generation > 0
  }

  /** Other producers may give one id to what is of several tenants: none is shown what is of another. */
  #isOfAnother(tenant: string): boolean {
    return this.#isKnown && this.#row.tenant !== this.#tenantOf(tenant)
  }

  #addNote(entry: ToldEntry): void {
    const row = this.#row
    row.standing = joinStandings(row.standing, standingOfEntry(entry, entry.value))
    this.#takeRecord(recordOf(entry), entry.generation)
    // It says whose it is, should nothing else.
    if (row.entry.length === 0) row.entry = lineOf(entry)
  }

  #addTurnEnd(entry: ToldEntry): void {
    if (this.#hasEntry(entry)) return
    const row = this.#row
    const known = row.standing
    const told = standingOfEntry(entry, entry.value)
    row.standing = joinStandings(known, told)
    const isEnd = told.ended !== undefined && row.standing.ended === told.ended
    const isLate = known.ended !== undefined && entry.generation <= known.generation
    if (isEnd || (!isLate && isLater(entry, row))) this.#replaceEntry(entry)
    else this.#remember(readJournalLine(entry.value))
    if (isEnd) this.#settleRecord(entry)
  }

  /** Whether the turn has an entry: then that one counts. */
  #hasEntry({ attempt, generation }: ToldEntry): boolean {
    const { attempts, entryAttempt, entryGeneration } = this.#row
    if (generation === entryGeneration && attempt === entryAttempt) return true
    return decodeAttempts(attempts).some((one) => one.generation === generation && one.attempt === attempt)
  }

  #replaceEntry(entry: ToldEntry): void {
    const row = this.#row
    if (row.entryGeneration > 0) this.#putBehind(entry.value)
    if (entry.responseBytes > 0) this.#keepBody(bodyOf(entry))
    row.entry = lineOf(entry)
    row.entryGeneration = entry.generation
    row.entryAttempt = entry.attempt
  }

  /** Makes history of the entry that there is. */
  #putBehind(next: Uint8Array): void {
    const row = this.#row
    const last = readJournalLine(row.entry)
    this.#remember(last)
    if (readJournalLine(next)?.response) {
      row.answered = NONE
      if (row.bodyBytes > 0) this.#keepBody(NONE)
    } else if (last?.response) row.answered = row.entry
  }

  #keepBody(body: Uint8Array): void {
    this.#responseBody = body
    this.#row.bodyBytes = body.length
  }

  #remember(line: JournalLine | undefined): void {
    const attempt = line && attemptOf(line)
    const row = this.#row
    if (attempt) row.attempts = encodeAttempts(withAttempt(decodeAttempts(row.attempts), attempt))
  }

  #describe(acceptedAtMs: number, { correlation, origin, parent, target }: Hashes): void {
    const row = this.#row
    row.createdAtMs = Math.min(row.createdAtMs, acceptedAtMs)
    row.origin ||= origin
    row.target ||= target
    row.correlation ||= correlation
    row.parent ||= parent
  }

  #takeHead(record: Uint8Array, generation: number, source: HeadSource): void {
    const row = this.#row
    if (generation < row.headGeneration || (generation === row.headGeneration && source <= row.headSource)) return
    const line = callLineOf(record)
    if (!line || this.#isOfAnother(tenantOfLine(line))) return
    row.head = line
    row.headGeneration = generation
    row.headSource = source
  }

  /** Keeps the record of what goes on. Those of its later attempts say nothing more. */
  #takeRecord(record: Uint8Array, generation: number): void {
    const { recordGeneration, standing } = this.#row
    if (record.length === 0 || standing.ended || generation !== standing.generation) return
    if (generation <= recordGeneration) return
    this.#record = record
    this.#row.recordGeneration = generation
  }

  /** Keeps a record of dead letters only. */
  #settleRecord(entry: ToldEntry): void {
    const { generation, recordBytes, state } = entry
    const isDead = state === 'failed' || state === 'expired'
    if (isDead ? recordBytes === 0 : this.#row.recordGeneration === 0) return
    this.#record = isDead ? recordOf(entry) : NONE
    this.#row.recordGeneration = isDead ? generation : 0
  }
}

function isLater({ attempt, generation }: ToldEntry, { entryAttempt, entryGeneration }: Row): boolean {
  return generation === entryGeneration ? attempt > entryAttempt : generation > entryGeneration
}

/**
 * Whether a record that comes up is all that is left of an invocation which was moved or cancelled, and ended, perhaps long
 * ago: the listener drops it.
 */
function isLeftOver(call: Call, appendedAtMs: number, directive: Directive): boolean {
  const verdict = decideVerdict(call, directive)
  return (verdict === 'moved' || verdict === 'over') && appendedAtMs >= directive.askedAtMs
}

/** The parts of a journal record. */
function lineOf({ lineBytes, value }: ToldEntry): Uint8Array {
  return value.subarray(0, lineBytes)
}

function bodyOf({ lineBytes, recordBytes, value }: ToldEntry): Uint8Array {
  return value.subarray(lineBytes + 1, value.length - recordBytes)
}

function recordOf({ recordBytes, value }: ToldEntry): Uint8Array {
  return value.subarray(value.length - recordBytes)
}

/** The record as Posthaste lays it out; as it is if it cannot be read. */
function ownRecord({ call, record }: ToldCall): Uint8Array {
  return call && !callLineOf(record.value) ? encodeCall(call) : record.value
}
