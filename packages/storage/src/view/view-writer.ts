import { decodeClaim, decodeDirective, PosthasteError, prevails, readDirectiveKey } from '@posthaste/core'
import type { Table } from '../environment.js'
import type { LogRecord } from './change.js'
import { Claims } from './claims.js'
import { type Draft, decideDraft } from './draft.js'
import type { Move } from './invocation-index.js'
import { idKey } from './keys.js'
import { minuteOf } from './minutes.js'
import { encodeRow, type Facets, facetsOf } from './row.js'
import { readTally, type Tally, writeTallyNow } from './tally.js'
import type { Gathering, Told } from './told.js'
import type { ViewTables } from './view-tables.js'

/** A key of a claim or a directive that is longer is nobody's. */
const KEY_LENGTH_MAX = 256
/** So many invocations are written together. */
const CHANGES_MAX = 500

/** What is written to a view in one transaction: made, used and ended inside `Environment.commit`. */
export class ViewWriter {
  readonly #tables: ViewTables
  readonly #claims: Claims
  readonly #tally: Tally
  readonly #endedByMinute = new Map<number, Buffer[]>()
  readonly #claimedByMinute = new Map<number, Buffer[]>()
  #changes: RowChange[] = []

  constructor(tables: ViewTables) {
    this.#tables = tables
    this.#claims = new Claims(tables)
    this.#tally = readTally(tables.meta)
  }

  write(gathering: Gathering, claimAgeMs: number): void {
    for (const record of gathering.control) this.#takeDirective(record, gathering)
    for (const record of gathering.claims) this.#takeClaim(record, claimAgeMs)
    for (const [id, told] of gathering.invocations) {
      this.#take(idKey(id), told)
      if (this.#changes.length >= CHANGES_MAX) this.#writeChanges()
    }
  }

  /** Removes an invocation that ended in this minute or before; it may go on again. Returns whether it did. */
  removeEnded(id: Buffer, minute: number): boolean {
    const row = this.#tables.row(id)
    if (!row?.standing.ended || minuteOf(row.standing.ended.atMs) > minute) return false
    this.#changes.push({
      id,
      before: facetsOf(row),
      after: undefined,
      row: undefined,
      record: row.recordGeneration > 0 ? NONE : undefined,
      responseBody: row.bodyBytes > 0 ? NONE : undefined,
    })
    this.#tally.byState[row.standing.ended.state] -= 1
    this.#claims.forgetInvocation(id)
    return true
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
    writeTallyNow(this.#tables.meta, this.#tally)
  }

  #take(id: Buffer, told: Told): void {
    const stored = this.#tables.row(id)
    const directive = this.#tally.directives > 0 ? this.#tables.directive(id) : undefined
    const draft = decideDraft(stored, told, directive)
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
      if (last?.kind === of.kind && directives.removeSync(id)) this.#tally.directives -= 1
      return
    }
    const directive = readable(decodeDirective, value)
    if (!directive || (last && !prevails(directive, last))) return
    directives.putSync(id, value as Buffer)
    if (!last) this.#tally.directives += 1
    gathering.of(of.id)
  }

  /** The first claim counts, until it is too old when the next one comes: so it is for whoever reads the log. */
  #takeClaim({ appendedAtMs, key, value }: LogRecord, claimAgeMs: number): void {
    const claim = readable(decodeClaim, value)
    if (key.length === 0 || key.length > KEY_LENGTH_MAX || !claim) return
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

/** `undefined` for no change, and nothing for nothing. */
function putNow(table: Table<Buffer>, id: Buffer, value: Uint8Array | undefined): void {
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
