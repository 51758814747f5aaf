import type { Watched } from './record-codec.js'

/** What `begin` and `complete` say of a delivery, or of whoever acts for a turn without one. */
export interface Claimant {
  /** Offset of its record; `NO_RECORD` if it has none. */
  readonly at: number
  readonly watched: Watched | undefined
}

export const NO_RECORD = -1
