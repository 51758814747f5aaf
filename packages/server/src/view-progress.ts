/** What the thread of the view tells. */
export interface ViewProgress {
  /** Up to when the view is complete, by a clock that the threads share; `-Infinity` if that is not known. */
  readonly asOf: number
}

/** What `performance.now` of this thread said, by the clock that the threads of a process share: theirs begin each at its own time. */
export function sharedTime(ms: number): number {
  return ms + offsetMs()
}

/** The other way round. */
export function ownTime(sharedMs: number): number {
  return sharedMs - offsetMs()
}

function offsetMs(): number {
  return Number(process.hrtime.bigint()) / 1e6 - performance.now()
}
