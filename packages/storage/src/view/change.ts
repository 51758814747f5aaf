/** The logs that a view is projected from. */
export type ViewedLog = 'calls' | 'journal' | 'control' | 'claims'

/** What of a stream's record the view looks at. */
export interface LogRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string
  readonly value: Uint8Array
  readonly appendedAtMs: number
}

/** A piece of a log, and between which positions it stands; `from` is undefined at the log's start. */
export interface Change {
  readonly log: ViewedLog
  readonly from: string | undefined
  readonly to: string
  readonly records: readonly LogRecord[]
  /** Of the journal, where what stood between `from` and these is not kept any more: it was written before this time. */
  readonly missedUntilMs?: number
}
