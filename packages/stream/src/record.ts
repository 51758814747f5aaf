/**
 * The logs of a stream.
 * - `calls`: what is to be called. Consumed by the members of a group; trimmed below what the group has completed.
 * - `journal`: what happened. Followed by anybody; trimmed by age and size.
 */
export type LogName = 'calls' | 'journal'

/**
 * Which attempt of which invocation a record is about. Whatever is written twice for one turn is the same thing: a
 * backend may drop the second, and where it cannot know, `Delivery.begin` tells.
 */
export interface Turn {
  /** The id of the invocation. Records with the same key keep their order, where a backend has one. */
  readonly key: string
  /** From 1; 1 if left out. */
  readonly generation?: number
  /** From 1; 1 if left out. */
  readonly attempt?: number
}

/** What is appended. */
export interface NewRecord extends Turn {
  readonly value: Uint8Array
}

/** A record as it was stored. `key` is empty if its producer named no turn. */
export interface StoredRecord extends Turn {
  readonly log: LogName
  readonly partition: number
  /** Grows within a partition; may leave gaps. */
  readonly offset: number
  readonly value: Uint8Array
  /** When the stream took it, in milliseconds since the Unix epoch, by the stream's clock. */
  readonly appendedAtMs: number
}
