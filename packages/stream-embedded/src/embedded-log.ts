import type { LogName, NewRecord, StoredRecord } from '@posthaste/stream'
import type { BatchLog } from './batch-log.js'
import type { KeyedLog } from './keyed-log.js'

/** Records that are read together. */
export interface Batch {
  /** Offset of the first one. */
  readonly base: number
  /** Offset behind the last one. */
  readonly end: number
  readonly records: readonly StoredRecord[]
}

/** An ordered log in the environment. Methods that end in `Now` are for use inside `Environment.commit`. */
export interface EmbeddedLog {
  readonly name: LogName
  /** Where the next record will stand. Removing records does not change it. */
  end(): number
  /** Returns where the first of them stands. */
  appendNow(records: readonly NewRecord[], appendedAtMs: number): number
  /** The first batch that reaches `offset`; undefined at the end of the log. */
  read(offset: number): Batch | undefined
}

export interface EmbeddedLogs extends Readonly<Record<LogName, EmbeddedLog>> {
  readonly calls: BatchLog
  readonly journal: BatchLog
  readonly control: KeyedLog
  readonly claims: BatchLog
}
