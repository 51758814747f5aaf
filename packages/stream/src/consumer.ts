import type { NewRecord, StoredRecord, Turn } from './record.js'

export interface ConsumeOptions {
  /** How others can reach this member, told to those who stand by: a URL, or any text. */
  readonly member?: string
}

/** A member of the group that consumes `calls`. Delivers each record that is not completed to one member at a time. */
export interface Consumer {
  /**
   * Moves what is due from the timers to `calls`, a portion of it if it is very much, then returns up to `recordsMax`
   * records that no member works on, as soon as there is one; an empty list after `waitMs`, or at once when `signal` aborts. While another member owns
   * everything it stands by, and takes over within the wait.
   */
  pull(options: PullOptions): Promise<Delivery[]>
  /**
   * Writes what follows from a turn that no delivery of this member is about: it waits for its time, or in line. The record
   * of that turn comes all the same, and is then the caller's to drop. In one step where completions are atomic; else the
   * journal first, which decides. Safe to repeat.
   */
  act(turn: Turn, effects: Effects): Promise<Acted>
  progress(): Promise<readonly Progress[]>
  /** Commits what is completed and gives up ownership. What was delivered and not completed goes to another member. Idempotent. */
  stop(): Promise<void>
}

export interface PullOptions {
  readonly recordsMax: number
  /** Stop at the record that reaches this many bytes of values; one record comes in any case. */
  readonly bytesMax: number
  readonly waitMs: number
  readonly signal?: AbortSignal
}

export interface Progress {
  readonly partition: number
  /** Every record below it is completed, or is moved aside in the memory of this member. */
  readonly committed: number
  /** Where the next record will stand. */
  readonly end: number
  /** Delivered here and not completed. */
  readonly inFlight: number
  /** Whether timers of it are due that are still to be moved to `calls`. */
  readonly overdue: boolean
  /** Whether this member owns the partition, another does, or nobody. */
  readonly owner: 'this' | 'other' | 'none'
  /** What the owner said of itself when it joined. */
  readonly member: string
}

/** One record in the hands of this member. */
export interface Delivery {
  readonly record: StoredRecord
  /** Aborts once another member owns the record. */
  readonly lost: AbortSignal
  /** Whether its record is about to be given to another member; a call that goes on is best checked out now. */
  readonly leaving: boolean
  /**
   * Whether it is known without asking that its turn ended: then it must be begun, not put off unread. What is put off and
   * not begun is another record when it is back, of which less may be known.
   */
  readonly ended?: boolean
  /**
   * Whether no other member can own the record yet. Ask right before calling: a process that was frozen may have lost
   * it without having been able to notice.
   */
  held(): boolean
  /**
   * Says which turn the record is, before anything is done for it, and answers what is known of that turn. At once where
   * nobody needs to be asked, as always where completions are atomic.
   */
  begin(turn: Turn): Begun | Promise<Begun>
  /**
   * Completes the record with what follows from it and resolves when nothing of it can be lost any more. Atomic backends
   * do it in one step; others write the journal first, which decides, then timers and children, then the completion.
   * Safe to repeat. `lost` means that another member owns the record, or has recorded its turn before: then nothing of
   * the effects counts.
   */
  complete(effects?: Effects): Promise<Completed>
  /**
   * Completes the record for a call that goes on. `watchdog` takes its place on the timers and comes due unless
   * `complete` takes it away before. `notes` are as in `Effects`. So a long call holds nothing up, and one that is lost is made again. Not while the
   * call still runs here: then the watchdog is put off. A backend without watchdogs keeps the record in work instead.
   */
  checkOut(watchdog: NewTimer, notes?: readonly NewRecord[]): Promise<Completed>
}

/**
 * - `done`: it is written.
 * - `elsewhere`: another member owns the key, or nobody yet; or the turn is in work here.
 * - otherwise the value of the journal record that tells how the turn ended before: nothing is written.
 */
export type Acted = 'done' | 'elsewhere' | Uint8Array

/**
 * - `fresh`: nothing is known of the turn.
 * - `copy`: another delivery of the same turn is in work here, or the turn ended here a moment ago with all that follows.
 *   Complete this one with nothing.
 * - otherwise the value of the journal record that tells how the turn ended. Whoever wrote it may not have come further:
 *   complete with what follows from it, marked `again`, and without journal.
 */
export type Begun = 'fresh' | 'copy' | Uint8Array

export type Completed = 'done' | 'lost'

/** What follows from a record, written with its completion. */
export interface Effects {
  /** Whether timers and children may have been written before, by another. */
  readonly again?: boolean
  /**
   * The one timer is the record itself, moved aside: nobody was promised its time. It may wait in memory, and come before
   * its time if its member dies.
   */
  readonly aside?: boolean
  /** Records that come to `calls` at their time. */
  readonly timers?: readonly NewTimer[]
  /** Records that come to `calls` now. */
  readonly children?: readonly NewRecord[]
  /** How the turn ended: the first record for a turn decides. */
  readonly journal?: readonly NewRecord[]
  /** Records for the journal that tell of the turn and decide nothing. */
  readonly notes?: readonly NewRecord[]
  readonly control?: readonly NewRecord[]
}

export interface NewTimer extends NewRecord {
  /** Milliseconds since the Unix epoch. Never comes due earlier. */
  readonly dueMs: number
}
