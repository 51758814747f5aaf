import type { ClockSkew } from './clock-skew.js'
import type { ConsumeOptions, Consumer } from './consumer.js'
import type { LogName, NewRecord, StoredRecord } from './record.js'

/** What a backend can do: final once `start` has resolved. The contract suite checks what is declared and what is not. */
export interface StreamSupports {
  /** Largest record, in bytes. */
  readonly recordBytesMax: number
  /** Whether processes on several machines can use the stream. */
  readonly machines: boolean
  /**
   * Whether the records of one key are with one member at a time; if not, any member may have them, and `act` is for
   * whoever comes first.
   */
  readonly owners: boolean
  /** Whether the members of a group share the work, or one works and the others stand by. */
  readonly members: 'share' | 'stand-by'
  /** Whether a completion and what follows from it are one step; if not, see `Delivery.begin`. */
  readonly atomic: boolean
  /** Whether a call that is checked out is completed, with a watchdog in its place; if not, its record stays in work. */
  readonly watchdogs: boolean
}

/** Where a follower stands: opaque, JSON, and good for `follow` on the same log later. */
export type Position = string

export interface FollowOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal
  /** Ends the iteration at what was the end when it got there, instead of waiting for more. */
  readonly untilEnd?: boolean
  /** Tells, besides, each time that nothing more is there, several times a second: with an empty list, and `asOfMs`. */
  readonly beats?: boolean
}

export interface Followed {
  readonly records: readonly StoredRecord[]
  /** Behind the last of `records`. */
  readonly position: Position
  /** With `beats`: at that time, by `performance.now()`, nothing more was there than was told up to here. */
  readonly asOfMs?: number
  /**
   * Of the first records that are told behind a position: whether others that stood there are not kept any more. Who follows
   * was away for too long, and has missed them. On `calls` that is as it should be; on `control` it tells nothing.
   */
  readonly hasGap?: boolean
}

/**
 * A durable ordered log with timers: the one thing that a backend provides. Every error is a PosthasteError:
 * `stream-unavailable` and `stream-full` pass by themselves, `too-large` does not.
 */
export interface Stream {
  readonly supports: StreamSupports
  /**
   * Connects, and creates or checks the logs. Idempotent.
   * @throws PosthasteError `stream-unfit` with the remedy, or `stream-unavailable`, after which it may be called again
   */
  start(): Promise<void>
  /**
   * Resolves once all of `records` are durable. If it rejects they may have been stored all the same, unless the code
   * is `stream-full`, `overloaded` or `too-large`. Rejects at once while the backend is known to be away.
   */
  append(log: LogName, records: readonly NewRecord[]): Promise<void>
  /** Joins `group` as a consumer of `calls`. Timers come due here. */
  consume(group: string, options?: ConsumeOptions): Promise<Consumer>
  /** Reads everything from a position on, for anybody who asks: views, control, recovery. */
  follow(log: LogName, from: Position | 'start', options?: FollowOptions): AsyncIterable<Followed>
  /** Whether `append` can be expected to succeed now. */
  health(): Promise<StreamHealth>
  /**
   * Compares the clock of this process with the stream's, which is the same for all processes: so two of them are apart
   * by the difference of what they find. Undefined where there is only one machine.
   */
  clockSkew(): Promise<ClockSkew | undefined>
  /** Resolves when nothing runs any more. Idempotent, also without a start. */
  stop(): Promise<void>
}

export type StreamHealth = { readonly ready: true } | { readonly ready: false; readonly reason: string }
