import type { OffsetRange } from '@posthaste/core'

/** How far a consumer has come on a partition. */
export interface Checkpoint {
  /** Every record below it is completed. */
  readonly offset: number
  /** What is completed above it: sorted ranges `[from, to)`. */
  readonly beyond: readonly OffsetRange[]
  /** Up to where the journal speaks of what is completed; empty for a stream that writes both as one. */
  readonly journal: string
}

export interface Claim {
  /** Greater than every epoch claimed before for the key. */
  readonly epoch: number
  /** The last one saved; that of an untouched partition if there is none. */
  readonly checkpoint: Checkpoint
}

/**
 * Keeps checkpoints and fences their owners: whoever claims a key last may save under it, all others are refused.
 * A claim comes before the first call is made, so it is the old owner who loses.
 */
export interface CheckpointStore {
  /** Whether processes on several machines can share it. */
  readonly machines: boolean
  /** Takes the next epoch of `key` and returns what was saved last. Two claims never get the same epoch. */
  claim(key: string): Promise<Claim>
  /** Saves durably and resolves `saved`, or `refused` if a later epoch was claimed. */
  save(key: string, epoch: number, checkpoint: Checkpoint): Promise<Saved>
  /** What was saved last, for whoever only looks. */
  read(key: string): Promise<Checkpoint>
}

export type Saved = 'saved' | 'refused'

export const NEW_CHECKPOINT: Checkpoint = { offset: 0, beyond: [], journal: '' }
