/** Offsets `[from, to)` of a log. */
export type OffsetRange = readonly [from: number, to: number]
