import {
  type Call,
  decodeCall,
  isSealed,
  type JournalPeek,
  PosthasteError,
  peekBearer,
  peekJournal,
  sealed,
} from '@posthaste/core'
import type { Change, LogRecord } from './change.js'
import { type Hashes, hashesOf } from './hashes.js'
import { joinScheduleRows, rowOfCall, rowOfEntry, type ScheduleRow } from './schedule-row.js'

/** What a batch of records tells of one invocation: that of each log in its order. */
export interface Told {
  readonly calls: ToldCall[]
  readonly entries: ToldEntry[]
}

export interface ToldCall {
  readonly record: LogRecord
  readonly generation: number
  /** Missing where the record was not read yet: most calls have ended by the time that they are looked at. */
  readonly call: Call | undefined
}

/** An entry of the journal, with hashes for its words: these would keep all of its text in memory. */
export interface ToldEntry
  extends Omit<JournalPeek, 'id' | 'isTick' | 'target' | 'correlationId' | 'parent' | 'tenant'>,
    Hashes {
  readonly tenant: string
  /** The whole record. */
  readonly value: Uint8Array
}

/** Everything that a batch tells, by invocation, so that each is written once. */
export class Gathering {
  readonly invocations = new Map<string, Told>()
  readonly schedules = new Map<string, ScheduleRow>()
  readonly control: LogRecord[] = []
  readonly claims: LogRecord[] = []
  readonly #tenants = new Map<string, string>()
  /** Of all values. */
  readonly bytes: number

  /** @throws PosthasteError `sealed` if there is no key for a value */
  constructor(changes: readonly Change[]) {
    let bytes = 0
    for (const { log, records } of changes) {
      for (const record of records) {
        // It would be missed for good.
        if (isSealed(record.value)) throw sealed(record.value)
        bytes += record.value.length
        if (log === 'calls') this.#addCall(record)
        else if (log === 'journal') this.#addEntry(record)
        else this[log].push(record)
      }
    }
    this.bytes = bytes
  }

  /** What is told of an invocation, to be added to. */
  of(id: string): Told {
    let told = this.invocations.get(id)
    if (!told) {
      told = { calls: [], entries: [] }
      this.invocations.set(id, told)
    }
    return told
  }

  #addCall(record: LogRecord): void {
    const bearer = peekBearer(record.value)
    const call = bearer ? undefined : readCall(record)
    const { generation, id } = bearer ?? call ?? NOBODY
    const row = call && rowOfCall(call)
    if (row) this.#addSchedule(row)
    else if (generation > 0) this.#of(id, record.key).calls.push({ record, generation, call })
  }

  #addEntry({ key, value }: LogRecord): void {
    const peek = peekJournal(value)
    if (!peek) return
    if (peek.isTick) {
      this.#addSchedule(rowOfEntry(value))
      return
    }
    const { acceptedAtMs, atMs, attempt, generation, id, lineBytes, recordBytes, responseBytes, state, tenant } = peek
    const { correlation, origin, parent, target } = hashesOf(peek)
    this.#of(id, key).entries.push({
      generation,
      attempt,
      state,
      atMs,
      acceptedAtMs,
      lineBytes,
      responseBytes,
      recordBytes,
      origin,
      target,
      correlation,
      parent,
      tenant: this.#tenantOf(tenant),
      value,
    })
  }

  #addSchedule(row: ScheduleRow | undefined): void {
    if (!row) return
    const { id } = row.tick
    const known = this.schedules.get(id)
    this.schedules.set(id, known ? joinScheduleRows(known, row) : row)
  }

  /** One text for each tenant, which keeps none that it was cut out of in memory. */
  #tenantOf(tenant: string | undefined): string {
    if (tenant === undefined) return ''
    const known = this.#tenants.get(tenant)
    if (known !== undefined) return known
    const name = Buffer.from(tenant).toString()
    this.#tenants.set(name, name)
    return name
  }

  /** A text that was cut out of another keeps that one in memory: a key does not. */
  #of(id: string, key: string): Told {
    return this.of(id === key ? key : id)
  }
}

const NOBODY = { id: '', generation: 0 }

/**
 * The call in a record; undefined if it cannot be read. The listener makes a dead letter of it, under an id of its own,
 * or a newer version reads it: the journal will tell.
 */
export function readCall({ appendedAtMs, offset, partition, value }: LogRecord): Call | undefined {
  try {
    return decodeCall(value, { log: 'calls', partition, offset, appendedAtMs }).call
  } catch (error) {
    if (error instanceof PosthasteError) return undefined
    throw error
  }
}
