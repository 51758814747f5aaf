import { PosthasteError } from '@posthaste/core'
import { type Checkpoint, NEW_CHECKPOINT } from '@posthaste/storage'
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint-codec.js'

/** A checkpoint with the epoch of whoever saved it. */
export interface StoredCheckpoint {
  /** 0 before the first claim. */
  readonly epoch: number
  readonly checkpoint: Checkpoint
}

export const UNTOUCHED: StoredCheckpoint = { epoch: 0, checkpoint: NEW_CHECKPOINT }

/** The broker's limit (`offset.metadata.max.bytes`). What the stream itself could commit fits, with epoch and journal besides. */
const METADATA_BYTES_MAX = 4_096

/**
 * The metadata of a group's offset: the epoch, the ranges beyond the offset as `encodeCheckpoint` writes them, and the
 * journal, with spaces between them.
 * @throws PosthasteError `too-large`
 */
export function encodeStored({ checkpoint: { beyond, journal, offset }, epoch }: StoredCheckpoint): string {
  const ranges = encodeCheckpoint(offset, { beyond, journal: 0, marks: 0, isReleased: false })
  const text = `${epoch} ${ranges} ${journal}`
  if (ranges !== undefined && Buffer.byteLength(text) <= METADATA_BYTES_MAX) return text
  const detail = `A checkpoint in Kafka may have ${METADATA_BYTES_MAX} bytes: one with ${beyond.length} ranges does not fit.`
  throw new PosthasteError('too-large', detail)
}

/** @throws PosthasteError `stream-unfit` if `encodeStored` did not write it */
export function decodeStored(offset: number, metadata: string): StoredCheckpoint {
  const [, epoch, ranges, journal = ''] = /^(\d+) (\S+) (.*)$/s.exec(metadata) ?? []
  const data = decodeCheckpoint(offset, ranges)
  if (!data)
    throw new PosthasteError('stream-unfit', 'A group of Posthaste has an offset that somebody else committed.')
  return { epoch: Number(epoch), checkpoint: { offset, beyond: data.beyond, journal } }
}
