import { INVOCATION_STATES, type InvocationState } from '@posthaste/core'
import type { Table } from '../environment.js'
import { TIME_BYTES, UUID_KEY_BYTES, writeTime } from './keys.js'
import type { Facets } from './row.js'

/**
 * By what invocations are found; a table for each. A key is the u32 number of a tenant, a u32 hash, a u8 state, a time and an
 * id: what of a tenant has one thing in common, and one state, lies together in the order of creation. `due` is for what
 * waits, whosever it is: what is put off, in the order in which it is due, and what is queued, in the order in which it came.
 */
const INDEX_KINDS = ['any', 'origin', 'target', 'correlation', 'parent', 'due'] as const
type IndexKind = (typeof INDEX_KINDS)[number]

const HASH_AT = 4
const STATE_AT = 8
const PREFIX_BYTES = 9
/** In the place of a tenant's number. */
const ANYBODY = 0
const NOTHING = Buffer.alloc(0)
/** After every place. */
const LAST = Buffer.alloc(TIME_BYTES + 1, 0xff)

/** Where an invocation stands in every list: its time of creation, then its id, as bytes. */
export type Place = Buffer

/** What a list is read from: that which was found of a tenant under `hash`, between two places. */
export interface IndexRange {
  readonly kind: Exclude<IndexKind, 'due'>
  readonly tenant: number
  readonly hash: number
  readonly states: readonly InvocationState[]
  /** What stands there is not read, nor at `below`. */
  readonly above?: Place
  readonly below?: Place
  /** Newest first if left out. */
  readonly order?: 'oldest-first'
}

/** From where to where an invocation goes in the indexes; undefined for nowhere. */
export interface Move {
  readonly id: Buffer
  readonly before: Facets | undefined
  readonly after: Facets | undefined
}

/** Finds the keys of invocations. Methods that end in `Now` are for use inside `Environment.commit`. */
export class InvocationIndex {
  readonly tables: Readonly<Record<IndexKind, Table<Buffer>>>

  constructor(open: (name: string) => Table<Buffer>) {
    const tables = INDEX_KINDS.map((kind) => [kind, open(`by-${kind}`)] as const)
    this.tables = Object.fromEntries(tables) as Record<IndexKind, Table<Buffer>>
  }

  /** Puts invocations where they belong from now on. One index after the other: what lies together is written together. */
  moveNow(moves: readonly Move[]): void {
    for (const kind of INDEX_KINDS) {
      const table = this.tables[kind]
      for (const { after, before, id } of moves) {
        if (before && after && isSameKey(kind, before, after)) continue
        if (before && isIn(kind, before)) table.removeSync(keyOf(kind, before, id))
        if (after && isIn(kind, after)) table.putSync(keyOf(kind, after, id), NOTHING)
      }
    }
  }

  /** The places of a range, in its order. */
  *placesIn({ above = NOTHING, below = LAST, hash, kind, order, states, tenant }: IndexRange): Generator<Place> {
    const reverse = order === undefined
    const [start, end] = reverse ? [below, above] : [above, below]
    const ranges = states.map((state) => {
      const prefix = prefixOf(tenant, hash, state)
      const range = { start: Buffer.concat([prefix, start]), end: Buffer.concat([prefix, end]), reverse }
      return this.tables[kind].getKeys(range)[Symbol.iterator]()
    })
    for (const place of merged(ranges, reverse)) if (!above.equals(place) && !below.equals(place)) yield place
  }

  /** When the oldest one of a state was created, of what is of some tenants. */
  oldestMs(state: InvocationState, tenants: readonly number[]): number | undefined {
    const times = tenants.flatMap((tenant) => firstMs(this.tables.any, prefixOf(tenant, 0, state)) ?? [])
    return times.length > 0 ? Math.min(...times) : undefined
  }

  nextDueMs(): number | undefined {
    return firstMs(this.tables.due, prefixOf(ANYBODY, 0, 'scheduled'))
  }

  /** When the one came that has been queued for the longest. */
  firstQueuedMs(): number | undefined {
    return firstMs(this.tables.due, prefixOf(ANYBODY, 0, 'queued'))
  }
}

function firstMs(table: Table<Buffer>, prefix: Buffer): number | undefined {
  const end = Buffer.concat([prefix, Buffer.alloc(TIME_BYTES + 1, 0xff)])
  const [key] = [...table.getKeys({ start: prefix, end, limit: 1 })]
  return key?.readUIntBE(PREFIX_BYTES, TIME_BYTES)
}

/** The place of an id, or without one the place before all that were created at that time. */
export function placeOf(createdAtMs: number, id: Buffer = NOTHING): Place {
  const place = Buffer.allocUnsafe(TIME_BYTES + id.length)
  writeTime(createdAtMs, place, 0)
  place.set(id, TIME_BYTES)
  return place
}

/** The `idKey` in a place. */
export function idKeyOf(place: Place): Buffer {
  return place.subarray(TIME_BYTES)
}

function tenantIn(kind: IndexKind, { tenant }: Facets): number {
  return kind === 'due' ? ANYBODY : tenant
}

function hashIn(kind: IndexKind, facets: Facets): number {
  return kind === 'any' || kind === 'due' ? 0 : facets[kind]
}

function timeIn(kind: IndexKind, facets: Facets): number {
  return kind === 'due' ? facets.dueMs || facets.queuedAtMs : facets.createdAtMs
}

/** All that is put off has one order. */
function stateIn(kind: IndexKind, facets: Facets): InvocationState {
  return kind === 'due' && facets.dueMs > 0 ? 'scheduled' : facets.state
}

function isIn(kind: IndexKind, facets: Facets): boolean {
  if (kind === 'any') return true
  return kind === 'due' ? timeIn(kind, facets) > 0 : facets[kind] > 0
}

function isSameKey(kind: IndexKind, one: Facets, other: Facets): boolean {
  return (
    hashIn(kind, one) === hashIn(kind, other) &&
    timeIn(kind, one) === timeIn(kind, other) &&
    stateIn(kind, one) === stateIn(kind, other)
  )
}

/** Where the keys of UUIDs are made: each is copied before the next one. */
const scratch = Buffer.allocUnsafeSlow(PREFIX_BYTES + TIME_BYTES + UUID_KEY_BYTES)

function keyOf(kind: IndexKind, facets: Facets, id: Buffer): Buffer {
  const length = PREFIX_BYTES + TIME_BYTES + id.length
  const key = length === scratch.length ? scratch : Buffer.allocUnsafe(length)
  writePrefix(key, tenantIn(kind, facets), hashIn(kind, facets), stateIn(kind, facets))
  writeTime(timeIn(kind, facets), key, PREFIX_BYTES)
  key.set(id, PREFIX_BYTES + TIME_BYTES)
  return key
}

function prefixOf(tenant: number, hash: number, state: InvocationState): Buffer {
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES)
  writePrefix(prefix, tenant, hash, state)
  return prefix
}

function writePrefix(key: Buffer, tenant: number, hash: number, state: InvocationState): void {
  key.writeUInt32BE(tenant, 0)
  key.writeUInt32BE(hash, HASH_AT)
  key[STATE_AT] = INVOCATION_STATES.indexOf(state)
}

/** The places in several ranges of keys, each in the same order, as one. */
function* merged(ranges: readonly Iterator<Buffer>[], reverse: boolean): Generator<Place> {
  const heads = ranges.map(nextPlace)
  try {
    for (;;) {
      let first = -1
      heads.forEach((head, at) => {
        if (head && (first < 0 || head.compare(heads[first] as Place) > 0 === reverse)) first = at
      })
      const place = heads[first]
      if (!place) return
      yield place
      heads[first] = nextPlace(ranges[first] as Iterator<Buffer>)
    }
  } finally {
    for (const range of ranges) range.return?.()
  }
}

function nextPlace(range: Iterator<Buffer>): Place | undefined {
  const { done, value } = range.next()
  return done ? undefined : value.subarray(PREFIX_BYTES)
}
