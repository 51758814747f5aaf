import {
  type Directive,
  encodeCall,
  PosthasteError,
  type SchedulePage,
  type ScheduleQuery,
  type ShownSchedule,
  shownSchedule,
  type WaitingTurn,
} from '@posthaste/core'
import type { Table } from '../environment.js'
import { idOf } from './keys.js'
import { decodeScheduleRow, encodeScheduleRow, joinScheduleRows, type ScheduleRow } from './schedule-row.js'
import type { ValueTable } from './sealed-table.js'
import { numberKey, type Tenants } from './tenants.js'

/** Rows that a page looks at. */
const LOOKED_AT_MAX = 500
/** Before and behind all ids. */
const FIRST = Buffer.alloc(1)
const LAST = Buffer.alloc(1, 0xff)
const NOTHING = Buffer.alloc(0)

/** The schedules that a view knows, under `idKey` of their ids. Methods that end in `Now` are for use inside `Environment.commit`. */
export class Schedules {
  readonly #rows: ValueTable
  /** Under the numbers of tenants, with ids behind them. */
  readonly #ofTenants: Table<Buffer>
  readonly #tenants: Tenants
  readonly #directiveOf: (id: Buffer) => Directive | undefined

  constructor(
    rows: ValueTable,
    ofTenants: Table<Buffer>,
    tenants: Tenants,
    directiveOf: (id: Buffer) => Directive | undefined,
  ) {
    this.#rows = rows
    this.#ofTenants = ofTenants
    this.#tenants = tenants
    this.#directiveOf = directiveOf
  }

  /** With a tenant only what is his, at no more cost than what is not there. */
  get(id: Buffer, tenant?: string): ShownSchedule | undefined {
    if (tenant !== undefined && !this.#isOf(id, tenant)) return undefined
    const row = this.#row(id)
    return row && shownSchedule(row.tick, row.end, this.#directiveOf(id))
  }

  /** What a directive can be about; undefined if the schedule has ended, or is not known. */
  waiting(id: Buffer): WaitingTurn | undefined {
    const row = this.#row(id)
    if (!row || row.end) return undefined
    const { attempt, generation, notBeforeMs } = row.tick
    const record = encodeCall(row.tick)
    return { generation, attempt, record, ...(notBeforeMs !== undefined && { dueMs: notBeforeMs }) }
  }

  /** A page of those that are not deleted. @throws PosthasteError `invalid-query` */
  list({ cursor, limit, states, tenant = '' }: ScheduleQuery): SchedulePage {
    const below = cursor === undefined ? LAST : readCursor(cursor)
    const number = this.#tenants.numberOf(tenant)
    if (number === undefined) return { items: [] }
    const prefix = numberKey(number)
    const start = Buffer.concat([prefix, below])
    const end = Buffer.concat([prefix, FIRST])
    const items: ShownSchedule[] = []
    let lookedAt = 0
    let last: Buffer | undefined
    for (const key of this.#ofTenants.getKeys({ start, end, reverse: true })) {
      const id = key.subarray(prefix.length)
      if (id.equals(below)) continue
      if (last && (items.length >= limit || lookedAt >= LOOKED_AT_MAX))
        return { items, next: last.toString('base64url') }
      const shown = this.get(id)
      if (shown && shown.state !== 'deleted' && (states?.includes(shown.state) ?? true)) items.push(shown)
      lookedAt += 1
      last = id
    }
    return { items }
  }

  /** Joins what is told to what is known. Returns how the schedule has ended by that, if it has. */
  takeNow(id: Buffer, told: ScheduleRow): ScheduleRow['end'] {
    const known = this.#row(id)
    // Its end was told long ago: this is what was left of it.
    if (!known && !told.end && this.#directiveOf(id)?.kind === 'cancel') return undefined
    const row = known ? joinScheduleRows(known, told) : told
    if (row === known) return undefined
    this.#rows.putSync(id, encodeScheduleRow(row))
    const number = this.#tenants.numberOfNow(row.tick.tenant ?? '')
    if (!known) this.#ofTenants.putSync(Buffer.concat([numberKey(number), id]), NOTHING)
    this.#tenants.open.addNow([[number, openIn(row) - openIn(known)]])
    return known?.end ? undefined : row.end
  }

  /** Forgets those whose tick was due by this time, and returns which these were. */
  forgetDueNow(untilMs: number): Buffer[] {
    const isDue = ({ end, tick }: ScheduleRow): boolean => !end && (tick.notBeforeMs ?? tick.acceptedAtMs) <= untilMs
    const forgotten = [...this.#rows.getKeys()].filter((id) => isDue(this.#row(id) as ScheduleRow))
    for (const id of forgotten) this.#removeNow(id)
    return forgotten
  }

  /** Forgets one that ended by this time. */
  removeEndedNow(id: Buffer, untilMs: number): boolean {
    const end = this.#row(id)?.end
    return end !== undefined && end.atMs < untilMs && this.#removeNow(id)
  }

  #removeNow(id: Buffer): boolean {
    const row = this.#row(id) as ScheduleRow
    const number = this.#tenants.numberOfNow(row.tick.tenant ?? '')
    this.#ofTenants.removeSync(Buffer.concat([numberKey(number), id]))
    this.#tenants.open.addNow([[number, -openIn(row)]])
    return this.#rows.removeSync(id)
  }

  #isOf(id: Buffer, tenant: string): boolean {
    const number = this.#tenants.numberOf(tenant)
    return number !== undefined && this.#ofTenants.doesExist(Buffer.concat([numberKey(number), id]))
  }

  #row(id: Buffer): ScheduleRow | undefined {
    const bytes = this.#rows.get(id)
    return bytes && decodeScheduleRow(bytes)
  }
}

function openIn(row: ScheduleRow | undefined): 0 | 1 {
  return row && !row.end ? 1 : 0
}

function readCursor(cursor: string): Buffer {
  const id = Buffer.from(cursor, 'base64url')
  if (id.toString('base64url') !== cursor || idOf(id) === undefined)
    throw new PosthasteError('invalid-query', 'The cursor is not one that was given with a page.')
  return id
}
