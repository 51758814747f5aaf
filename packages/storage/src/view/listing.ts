import {
  clientNameOf,
  INVOCATION_STATES,
  type Invocation,
  type InvocationQuery,
  originOf,
  PosthasteError,
  parseTargetFilter,
} from '@posthaste/core'
import { type Hashes, hashOf, withoutQuery } from './hashes.js'
import { type IndexRange, type Place, placeOf } from './invocation-index.js'
import { idOf, TIME_BYTES } from './keys.js'

/** No place of an invocation is longer, and LMDB takes no key that is much longer. */
const PLACE_BYTES_MAX = 1_024

/** What a page is read from, and what of it belongs there. */
export interface Listing {
  readonly range: Omit<IndexRange, 'tenant'>
  /** Whether a row can belong there: false is certain. */
  mayMatch(hashes: Hashes): boolean
  matches(invocation: Invocation): boolean
}

/**
 * Decides how to find what a query asks for.
 * @throws PosthasteError `invalid-query` if the target or the cursor is none
 */
export function decideListing(query: InvocationQuery): Listing {
  const { correlationId, namePrefix = '', parent: parentId, states = INVOCATION_STATES } = query
  const target = query.target === undefined ? undefined : readTarget(query.target)
  const correlation = correlationId === undefined ? undefined : hashOf(correlationId)
  const parent = parentId === undefined ? undefined : hashOf(parentId)
  const range = {
    states: [...new Set(states)],
    ...boundsOf(query),
  }
  return {
    range:
      parent !== undefined
        ? { ...range, kind: 'parent', hash: parent }
        : correlation !== undefined
          ? { ...range, kind: 'correlation', hash: correlation }
          : target
            ? { ...range, kind: target.kind, hash: target.hash }
            : { ...range, kind: 'any', hash: 0 },
    mayMatch: (hashes) =>
      (parent === undefined || hashes.parent === parent) &&
      (correlation === undefined || hashes.correlation === correlation) &&
      (target === undefined || hashes[target.kind] === target.hash),
    matches: (invocation) =>
      (parentId === undefined || invocation.parent === parentId) &&
      (correlationId === undefined || invocation.correlationId === correlationId) &&
      clientNameOf(invocation).startsWith(namePrefix) &&
      (target === undefined || (invocation.target !== undefined && target.of(invocation.target) === target.text)),
  }
}

interface TargetFilter {
  readonly kind: 'origin' | 'target'
  readonly text: string
  readonly hash: number
  /** What of an invocation's target is to be equal to `text`. */
  of(target: string): string
}

function readTarget(text: string): TargetFilter {
  const url = parseTargetFilter(text)
  if (url === undefined) throw new PosthasteError('invalid-query', 'The target is neither a URL nor an origin.')
  const isOrigin = originOf(url) === url
  const found = isOrigin ? url : withoutQuery(url)
  return {
    kind: isOrigin ? 'origin' : 'target',
    text: found,
    hash: hashOf(found),
    of: isOrigin ? originOf : withoutQuery,
  }
}

/** Between which times; where it goes on from a cursor, that is the nearer end. */
function boundsOf({ createdAfterMs, createdBeforeMs, cursor, order }: InvocationQuery) {
  const last = cursor === undefined ? [] : [readCursor(cursor)]
  const after = createdAfterMs === undefined ? [] : [placeOf(createdAfterMs)]
  const before = createdBeforeMs === undefined ? [] : [placeOf(createdBeforeMs)]
  const isOldestFirst = order !== undefined
  const above = [...after, ...(isOldestFirst ? last : [])].sort(Buffer.compare).at(-1)
  const below = [...before, ...(isOldestFirst ? [] : last)].sort(Buffer.compare)[0]
  return { ...(order && { order }), ...(above && { above }), ...(below && { below }) }
}

export function writeCursor(place: Place): string {
  return place.toString('base64url')
}

function readCursor(cursor: string): Place {
  const place = Buffer.from(cursor, 'base64url')
  const isPlace =
    place.length > TIME_BYTES &&
    place.length <= PLACE_BYTES_MAX &&
    place.toString('base64url') === cursor &&
    idOf(place.subarray(TIME_BYTES))
  if (!isPlace) throw new PosthasteError('invalid-query', 'The cursor is not one that was given with a page.')
  return place
}
