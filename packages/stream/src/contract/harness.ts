import type { Stream } from '../stream.js'

/** How the contract suite gets hold of a backend. */
export interface StreamHarness {
  /** How soon a waiting pull or follower sees what was appended, and how late a timer may be. */
  readonly promptMsMax: number
  /** How long anything else may take: to join, to take over after a crash, to trim. */
  readonly waitMsMax: number
  /** Whether its storages have a `depose`: not where members own nothing. */
  readonly deposes: boolean
  /** Makes storage that nobody has used: a directory, or a prefix of topics. */
  create(): Promise<StreamStorage>
}

/** One storage and the streams on it. */
export interface StreamStorage {
  /** A stream that was not started. Each is to the others as if it were in a process of its own. */
  open(): Stream
  /**
   * Drops a stream as a killed process would: from now on nothing it was asked for is written, what it owned can be
   * taken, and nobody waits for what it had promised.
   */
  crash(stream: Stream): Promise<void>
  /**
   * Lets others take what `stream` owns, as if it had been frozen for too long: it goes on and has not been told.
   */
  depose?(stream: Stream): Promise<void>
  /** Removes the storage. Every stream was stopped or crashed before. */
  destroy(): Promise<void>
}
