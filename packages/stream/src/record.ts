/**
 * The logs of a stream.
 * - `calls`: what is to be called. Consumed by the members of a group; trimmed below what the group has completed.
 * - `journal`: what happened. Followed by anybody; trimmed by age and size.
 * - `control`: what was asked of invocations that go on. Followed by anybody; of each key the last record is kept, for
 *   ever, or nothing if that is empty.
 * - `claims`: who was first with a key. Followed by anybody; trimmed by age. Records with the same key keep their order.
 */
export type LogName = (typeof LOG_NAMES)[number]

export const LOG_NAMES = ['calls', 'journal', 'control', 'claims'] as const

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

/**
 * A record as it was stored. `key` is empty if its producer named no turn. An empty `value` on `control` says that there
 * is nothing under its key any more.
 */
export interface StoredRecord extends Turn {
  readonly log: LogName
  readonly partition: number
  /** Grows within a partition; may leave gaps. */
  readonly offset: number
  readonly value: Uint8Array
  /** When the stream took it, in milliseconds since the Unix epoch, by the stream's clock. */
  readonly appendedAtMs: number
}
