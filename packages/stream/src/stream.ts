import type { ConsumeOptions, Consumer } from './consumer.js'

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

/** What a backend can do. The contract suite checks the presence and the absence of what is declared. */
export interface StreamSupports {
  /** Largest record, in bytes. */
  readonly recordBytesMax: number
  /** Partitions of `calls` that several members of a group can share; 1 means that one member works and others stand by. */
  readonly partitions: number
  /** Whether processes on several machines can use the stream. */
  readonly machines: boolean
}

/** Where a follower stands: opaque, JSON, and good for `follow` on the same log later. */
export type Position = string

export interface FollowOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal
  /** Ends the iteration at what was the end when it got there, instead of waiting for more. */
  readonly untilEnd?: boolean
}

export interface Followed {
  readonly records: readonly StoredRecord[]
  /** Behind the last of `records`. */
  readonly position: Position
}

/**
 * A durable ordered log with timers: the one thing that a backend provides. Every error is a PosthasteError:
 * `stream-unavailable` and `stream-full` pass by themselves, `too-large` does not.
 */
export interface Stream {
  readonly supports: StreamSupports
  /**
   * Connects, and creates or checks the logs. Idempotent.
   * @throws PosthasteError `stream-unfit` with the remedy, or `stream-unavailable`
   */
  start(): Promise<void>
  /**
   * Resolves once all of `records` are durable. If it rejects they may have been stored all the same, unless the code
   * is `stream-full`, `overloaded` or `too-large`.
   */
  append(log: LogName, records: readonly NewRecord[]): Promise<void>
  /** Joins `group` as a consumer of `calls`. Timers come due here. */
  consume(group: string, options?: ConsumeOptions): Promise<Consumer>
  /** Reads everything from a position on, for anybody who asks: views, control, recovery. */
  follow(log: LogName, from: Position | 'start', options?: FollowOptions): AsyncIterable<Followed>
  /** Whether `append` can be expected to succeed now. */
  health(): Promise<StreamHealth>
  /** Resolves when nothing runs any more. Idempotent, also without a start. */
  stop(): Promise<void>
}

export type StreamHealth = { readonly ready: true } | { readonly ready: false; readonly reason: string }
