import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { OffsetRange } from '@posthaste/core'

/** What a group's offset carries besides. */
export interface CheckpointData {
  /** Sorted ranges of what is completed above the committed offset. */
  readonly beyond: readonly OffsetRange[]
  /** Position of the journal below which everything is completed with its effects. */
  readonly journal: number
  /** Position of the journal from which to read which turns have ended; not above `journal`. */
  readonly marks: number
  /** Whether whoever wrote it has stopped: then nobody works on anything of the partition. */
  readonly isReleased: boolean
}

/** The broker's limit is 4096 (`offset.metadata.max.bytes`). */
export const METADATA_BYTES_MAX = 4_000
/** Tells versions apart. */
const PREFIX = '1'
const RELEASED = 1

/**
 * `1`, then in base64: deflated numbers of variable length: flags, journal, journal - marks, and for each range the
 * distance from the end of the one before and its length. Undefined if it would be too long.
 */
export function encodeCheckpoint(committed: number, data: CheckpointData): string | undefined {
  const numbers = [data.isReleased ? RELEASED : 0, data.journal, data.journal - data.marks]
  let before = committed
  for (const [from, to] of data.beyond) {
    numbers.push(from - before, to - from)
    before = to
  }
  const text = PREFIX + deflateRawSync(encodeNumbers(numbers)).toString('base64')
  return text.length > METADATA_BYTES_MAX ? undefined : text
}

/** Undefined if it was not written by `encodeCheckpoint`. */
export function decodeCheckpoint(committed: number, text: string | null | undefined): CheckpointData | undefined {
  if (!text?.startsWith(PREFIX)) return undefined
  try {
    const [flags = 0, journal = 0, less = 0, ...ranges] = decodeNumbers(
      inflateRawSync(Buffer.from(text.slice(PREFIX.length), 'base64')),
    )
    const beyond: OffsetRange[] = []
    let before = committed
    for (let index = 0; index + 1 < ranges.length; index += 2) {
      const from = before + (ranges[index] as number)
      before = from + (ranges[index + 1] as number)
      beyond.push([from, before])
    }
    return { beyond, journal, marks: journal - less, isReleased: (flags & RELEASED) !== 0 }
  } catch {
    return undefined
  }
}

/** Seven bits a byte, the lowest first; by arithmetic, for offsets may have 53 bits. */
function encodeNumbers(numbers: readonly number[]): Buffer {
  const bytes: number[] = []
  for (const number of numbers) {
    let rest = number
    while (rest >= 128) {
      bytes.push((rest % 128) + 128)
      rest = Math.floor(rest / 128)
    }
    bytes.push(rest)
  }
  return Buffer.from(bytes)
}

function decodeNumbers(bytes: Buffer): number[] {
  const numbers: number[] = []
  let number = 0
  let factor = 1
  for (const byte of bytes) {
    number += (byte % 128) * factor
    factor *= 128
    if (byte >= 128) continue
    numbers.push(number)
    number = 0
    factor = 1
  }
  return numbers
}
