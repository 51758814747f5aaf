/** What a cycle did, in records. */
export interface Tally {
  pulled: number
  /** Attempts made. */
  called: number
  succeeded: number
  failed: number
  expired: number
  cancelled: number
  retrying: number
  deferred: number
  /** Ticks of schedules. */
  ticked: number
  /** Moved aside because they could not start soon. */
  spilled: number
  /** Put off because their target is dead. */
  parked: number
  /** Records of a turn that was recorded before, or is in work already. */
  repeated: number
  /** Records of no use, because what they were for was cancelled, or moved to another time. */
  superseded: number
  /** Calls that went on for long and no longer hold the stream up. */
  checkedOut: number
  /** In other hands before they were completed. */
  lost: number
}

export function newTally(): Tally {
  return {
    pulled: 0,
    called: 0,
    succeeded: 0,
    failed: 0,
    expired: 0,
    cancelled: 0,
    retrying: 0,
    deferred: 0,
    ticked: 0,
    spilled: 0,
    parked: 0,
    repeated: 0,
    superseded: 0,
    checkedOut: 0,
    lost: 0,
  }
}
