import {
  type Directive,
  decodeClaim,
  decodeDirective,
  isFinalState,
  PENDING_STATES,
  PosthasteError,
  prevails,
  readDirectiveKey,
} from '@posthaste/core'
import type { LogRecord } from './change.js'
import { Claims } from './claims.js'
import { type Draft, decideDraft } from './draft.js'
import { idKeyOf, type Move, type Place } from './invocation-index.js'
import { idKey } from './keys.js'
import { MINUTE_MS, minuteOf } from './minutes.js'
import { encodeRow, type Facets, facetsOf, type Row } from './row.js'
import type { ValueTable } from './sealed-table.js'
import { readTally, type Tally, writeTallyNow } from './tally.js'
import type { Gathering, Told } from './told.js'
import type { ViewTables } from './view-tables.js'

/** A key of a claim or a directive that is longer is nobody's, nor is the id in a claim. */
const KEY_LENGTH_MAX = 256
/** So many invocations are written together. */
const CHANGES_MAX = 500

/** What is written to a view in one transaction: made, used and ended inside `Environment.commit`. */
export class ViewWriter {
  readonly #tables: ViewTables
  readonly #claims: Claims
  readonly #tally: Tally
  readonly #tenantOf: (name: string) => number
  /** By tenant, how many more are open, and how many more directives stand. */
  readonly #openedBy = new Map<number, number>()
  readonly #askedBy = new Map<number, number>()
  readonly #endedByMinute = new Map<number, Buffer[]>()
  readonly #claimedByMinute = new Map<number, Buffer[]>()
  #changes: RowChange[] = []

  constructor(tables: ViewTables) {
    this.#tables = tables
    this.#claims = new Claims(tables)
    this.#tally = readTally(tables.meta)
    this.#tenantOf = (name) => tables.tenants.numberOfNow(name)
  }

  write(gathering: Gathering, claimAgeMs: number): void {
    for (const record of gathering.control) this.#takeDirective(record, gathering)
    for (const record of gathering.claims) this.#takeClaim(record, claimAgeMs)
    for (const [id, told] of gathering.schedules) {
      const key = idKey(id)
      const end = this.#tables.schedules.takeNow(key, told)
      if (end) remember(this.#endedByMinute, end.atMs, key)
    }
    for (const [id, told] of gathering.invocations) {
      this.#take(idKey(id), told)
      if (this.#changes.length >= CHANGES_MAX) this.#writeChanges()
    }
  }

  /** Removes what goes on and may have come further by this time, for what would tell of it was missed. */
  forgetUntil(ms: number): void {
    // Nothing of it is counted before the end.
    for (const tenant of this.#tables.tenants.open.tenants()) this.#forgetOf(tenant, ms)
    // The journal tells anew, within a day, of those that have not ended.
    for (const id of this.#tables.schedules.forgetDueNow(ms)) this.#claims.forgetInvocation(id)
  }

  /**
   * Removes invocations and schedules that ended in this minute or before, and returns how many that were: some may go on
   * again, or be gone already.
   */
  removeEnded(ids: readonly Buffer[], minute: number): number {
    const removed = ids.filter((id) => this.#removeEnded(id, minute)).length
    // Whoever asks again in the same transaction does not find them.
    this.#writeChanges()
    return removed
  }

  /** Removes a claim that the stream took at this time or before; another may have followed it. Returns whether it did. */
  removeClaim(key: Buffer, untilMs: number): boolean {
    return this.#claims.remove(key, untilMs)
  }

  /** Makes the changes, with what was counted and is to be remembered. */
  end(): void {
    this.#writeChanges()
    const nextNumber = (): number => {
      this.#tally.numbers += 1
      return this.#tally.numbers
    }
    this.#tables.ended.addNow(this.#endedByMinute, nextNumber)
    this.#tables.claimed.addNow(this.#claimedByMinute, nextNumber)
    this.#tables.tenants.open.addNow(this.#openedBy)
    this.#tables.tenants.directives.addNow(this.#askedBy)
    writeTallyNow(this.#tables.meta, this.#tally)
  }

  #removeEnded(id: Buffer, minute: number): boolean {
    if (this.#tables.schedules.removeEndedNow(id, (minute + 1) * MINUTE_MS)) {
      this.#claims.forgetInvocation(id)
      return true
    }
    const row = this.#tables.row(id)
    if (!row?.standing.ended || minuteOf(row.standing.ended.atMs) > minute) return false
    this.#remove(id, row)
    return true
  }

  #forgetOf(tenant: number, ms: number): void {
    let places = this.#pendingBelow(tenant, undefined)
    for (; places.length > 0; places = this.#pendingBelow(tenant, places.at(-1))) {
      for (const place of places) this.#forget(idKeyOf(place), ms)
      this.#writeChanges()
    }
  }

  /** Some of what goes on of a tenant: what lies below a place, or is newest. */
  #pendingBelow(tenant: number, below: Place | undefined): Place[] {
    const range = { kind: 'any', tenant, hash: 0, states: PENDING_STATES, ...(below && { below }) } as const
    const places: Place[] = []
    for (const place of this.#tables.index.placesIn(range)) {
      places.push(place)
      if (places.length === CHANGES_MAX) break
    }
    return places
  }

  #forget(id: Buffer, ms: number): void {
    const row = this.#tables.row(id)
    if (!row) return
    const { dueMs, queuedAtMs } = facetsOf(row)
    if ((dueMs || queuedAtMs || row.standing.runningAtMs) <= ms) this.#remove(id, row)
  }

  #remove(id: Buffer, row: Row): void {
    const before = facetsOf(row)
    const record = row.recordGeneration > 0 ? NONE : undefined
    const responseBody = row.bodyBytes > 0 ? NONE : undefined
    this.#changes.push({ id, before, after: undefined, row: undefined, record, responseBody })
    this.#tally.byState[before.state] -= 1
    addTo(this.#openedBy, before.tenant, -openIn(before))
    this.#claims.forgetInvocation(id)
  }

  #take(id: Buffer, told: Told): void {
    const stored = this.#tables.row(id)
    const directive = this.#tally.directives > 0 ? this.#tables.directive(id) : undefined
    const draft = decideDraft(stored, told, directive, this.#tenantOf)
    if (!draft) return
    const before = stored && facetsOf(stored)
    const after = facetsOf(draft.row)
    const { record, responseBody, row } = draft
    this.#changes.push({ id, before, after, row, record, responseBody })
    this.#count(before, after)
    const { ended, generation } = draft.row.standing
    if (!ended || (stored?.standing.ended && stored.standing.generation === generation)) return
    this.#tally.ended += 1
    remember(this.#endedByMinute, ended.atMs, id)
  }

  #count(before: Facets | undefined, after: Facets): void {
    if (before) this.#tally.byState[before.state] -= 1
    else this.#tally.accepted += 1
    this.#tally.byState[after.state] += 1
    addTo(this.#openedBy, after.tenant, openIn(after) - (before ? openIn(before) : 0))
  }

  /** One table after the other: what lies together is written together, in two thirds of the time. */
  #writeChanges(): void {
    const { index, records, responses, rows } = this.#tables
    for (const { id, row } of this.#changes) {
      if (row) rows.putSync(id, encodeRow(row))
      else rows.removeSync(id)
    }
    for (const { id, record } of this.#changes) putNow(records, id, record)
    for (const { id, responseBody } of this.#changes) putNow(responses, id, responseBody)
    index.moveNow(this.#changes)
    this.#changes = []
  }

  #takeDirective({ key, value }: LogRecord, gathering: Gathering): void {
    const { directives } = this.#tables
    if (key.length === 0 || key.length > KEY_LENGTH_MAX) return
    const of = readDirectiveKey(key)
    const id = idKey(of.id)
    const last = this.#tables.directive(id)
    if (value.length === 0) {
      if (last?.kind === of.kind && directives.removeSync(id)) this.#countDirective(last, -1)
      return
    }
    const directive = readable(decodeDirective, value)
    if (!directive || (last && !prevails(directive, last))) return
    directives.putSync(id, value as Buffer)
    if (last) this.#countDirective(last, -1)
    this.#countDirective(directive, 1)
    gathering.of(of.id)
  }

  #countDirective({ tenant = '' }: Directive, more: 1 | -1): void {
    this.#tally.directives += more
    addTo(this.#askedBy, this.#tenantOf(tenant), more)
  }

  /** The first claim counts, until it is too old when the next one comes: so it is for whoever reads the log. */
  #takeClaim({ appendedAtMs, key, value }: LogRecord, claimAgeMs: number): void {
    const claim = readable(decodeClaim, value)
    if (key.length === 0 || key.length > KEY_LENGTH_MAX || !claim || claim.id.length > KEY_LENGTH_MAX) return
    const bytes = Buffer.from(key)
    const takenAtMs = this.#claims.takenAtMs(bytes)
    if (takenAtMs !== undefined && appendedAtMs - takenAtMs < claimAgeMs) return
    this.#claims.put(bytes, { ...claim, takenAtMs: appendedAtMs, value })
    remember(this.#claimedByMinute, appendedAtMs, bytes)
  }
}

/** `row` is undefined for what is removed. */
type RowChange = Move & { readonly [K in keyof Draft]: Draft[K] | undefined }

const NONE = new Uint8Array(0)

function openIn({ state }: Facets): 0 | 1 {
  return isFinalState(state) ? 0 : 1
}

function addTo(counts: Map<number, number>, tenant: number, more: number): void {
  counts.set(tenant, (counts.get(tenant) ?? 0) + more)
}

/** `undefined` for no change, and nothing for nothing. */
function putNow(table: ValueTable, id: Buffer, value: Uint8Array | undefined): void {
  if (!value) return
  if (value.length > 0) table.putSync(id, value as Buffer)
  else table.removeSync(id)
}

function remember(keysByMinute: Map<number, Buffer[]>, ms: number, key: Buffer): void {
  const keys = keysByMinute.get(minuteOf(ms))
  if (keys) keys.push(key)
  else keysByMinute.set(minuteOf(ms), [key])
}

function readable<T>(decode: (bytes: Uint8Array) => T, bytes: Uint8Array): T | undefined {
  try {
    return decode(bytes)
  } catch (error) {
    if (error instanceof PosthasteError) return undefined
    throw error
  }
}
