/**
 * The logs of a stream.
 * - `calls`: what is to be called. Consumed by the members of a group; trimmed below what the group has completed.
 * - `journal`: what happened. Followed by anybody; trimmed by age and size.
 */
export type LogName = 'calls' | 'journal'

/** What is appended. Records with the same key keep their order. */
export interface NewRecord {
  /** The id of the invocation that the record is about. */
  readonly key: string
  readonly value: Uint8Array
}

export interface StoredRecord {
  readonly log: LogName
  readonly partition: number
  /** Grows within a partition; may leave gaps. */
  readonly offset: number
  /** Empty if its producer gave none. */
  readonly key: string
  readonly value: Uint8Array
  /** When the stream took it, in milliseconds since the Unix epoch, by the stream's clock. */
  readonly appendedAtMs: number
}
