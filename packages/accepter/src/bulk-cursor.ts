import { PosthasteError } from '@posthaste/core'

/** Where a bulk operation goes on. */
export interface BulkPlace {
  /** Of the list of what matches. */
  readonly list?: string
  /** When the next call may be made, of those that are spread over time. */
  readonly startMs: number
}

/** Writes a place as text for the client, who sends it back. */
export function bulkCursor({ list, startMs }: Required<BulkPlace>): string {
  return `${startMs.toString(36)}.${list}`
}

/** @throws PosthasteError `invalid-field` */
export function readBulkCursor(text: string | undefined, nowMs: number): BulkPlace {
  if (text === undefined) return { startMs: nowMs }
  const [, start, list] = /^([0-9a-z]{1,9})\.(.+)$/.exec(text) ?? []
  if (start === undefined || list === undefined)
    throw PosthasteError.ofFields([{ pointer: '/cursor', code: 'invalid-field', detail: 'This is no cursor of ours.' }])
  // Who comes later than that goes on from now.
  return { list, startMs: Math.max(Number.parseInt(start, 36), nowMs) }
}
