import {
  DEAD_LETTER_STATES,
  type DeadLetter,
  type Directive,
  encodeCall,
  type Invocation,
  type InvocationCounts,
  type InvocationPage,
  type InvocationQuery,
  type KeptResponse,
  type KnownClaim,
  PosthasteError,
  readJournalLine,
  retryOf,
  type SchedulePage,
  type ScheduleQuery,
  type Sealer,
  type ShownSchedule,
  type WaitingTurn,
} from '@posthaste/core'
import type { Environment } from '../environment.js'
import type { Change, ViewedLog } from './change.js'
import { Claims } from './claims.js'
import { idKeyOf, type Place } from './invocation-index.js'
import { idKey, idOf } from './keys.js'
import { decideListing, type Listing, writeCursor } from './listing.js'
import { decodeRow, facetsOf, peekHashes, peekTenant, type Row } from './row.js'
import { keptResponse, shownInvocation } from './shown.js'
import { readTally } from './tally.js'
import { Gathering, readCall } from './told.js'
import { applyRetention, type ViewRetention } from './view-retention.js'
import { ViewTables } from './view-tables.js'
import { ViewWriter } from './view-writer.js'

/** No id and no key is longer, so nothing is found under one. */
const KEY_LENGTH_MAX = 256
/** Rows that a page looks at: so it takes some milliseconds at the most, however few match. */
const LOOKED_AT_MAX = 2_000

const NONE = Buffer.alloc(0)

export interface ViewOptions {
  /** With a file of its own, for a file has one writer at a time: what projects must not hold up what accepts. */
  readonly environment: Environment
  readonly retention: ViewRetention
  /** Seals what is kept of invocations; it is not sealed if left out. */
  readonly sealer?: Sealer
}

/**
 * What the logs tell of invocations, to be asked: projected by `apply`, from any number of processes and threads that
 * share the file. It does not matter in which order the logs are read, nor whether a record comes again; only each log's
 * own order does. All reads are synchronous, and show what was last applied by anybody.
 */
export class InvocationView {
  readonly #environment: Environment
  readonly #retention: ViewRetention
  readonly #tables: ViewTables

  /** @throws PosthasteError `invalid-configuration` if what stands here is sealed, and there are no keys */
  constructor({ environment, retention, sealer }: ViewOptions) {
    this.#environment = environment
    this.#retention = retention
    this.#tables = new ViewTables(environment, sealer)
    if (!sealer && this.#tables.isSealed)
      throw new PosthasteError('invalid-configuration', 'The view is sealed: POSTHASTE_KEYS must name its keys.')
  }

  /** Up to where a log was applied: where to follow it from; undefined for its start. */
  position(log: ViewedLog): string | undefined {
    this.#environment.refresh()
    return this.#savedPosition(log)
  }

  /**
   * Applies what was read, in one transaction with the positions; all of it is in memory at once. `behind`: another has
   * applied a part of it already, and nothing is done: follow from `position` again.
   * @throws PosthasteError `stream-full` if what is left of the disk is kept in reserve
   */
  async apply(changes: readonly Change[]): Promise<'applied' | 'behind'> {
    const gathering = new Gathering(changes)
    if (!this.#environment.takeRoom(gathering.bytes)) {
      throw new PosthasteError('stream-full', 'The disk of the data directory has no room for the view.')
    }
    return this.#environment.commit(() => {
      const positions = this.#advanced(changes)
      if (!positions) return 'behind'
      for (const [log, position] of positions) this.#tables.meta.putSync(positionKey(log), Buffer.from(position))
      const writer = new ViewWriter(this.#tables)
      for (const { missedUntilMs } of changes) if (missedUntilMs !== undefined) this.#passGap(writer, missedUntilMs)
      writer.write(gathering, this.#retention.claimAgeMs)
      writer.end()
      return 'applied'
    })
  }

  /** Removes a portion of what need not be kept any more, and returns how much that was: 0 when nothing is left. */
  applyRetention(nowMs: number): Promise<number> {
    return applyRetention(this.#environment, this.#tables, this.#retention, nowMs)
  }

  /** For whoever projects, before anything else: empties a view that another version wrote in another form. */
  async prepare(): Promise<void> {
    this.#environment.refresh()
    if (!this.#tables.isReadable) await this.#tables.clear()
    await this.#tables.markSealed()
  }

  /** Forgets everything, positions too, so that it is projected once more. */
  clear(): Promise<void> {
    return this.#tables.clear()
  }

  /** With a tenant only what is his: of what is another's only that is read. */
  get(id: string, tenant?: string): Invocation | undefined {
    const row = this.#row(id, tenant)
    return row && shownInvocation(id, row, this.#tables.directive(idKey(id)))
  }

  /** The last response of an invocation. */
  response(id: string): KeptResponse | undefined {
    const row = this.#row(id)
    return row && keptResponse(row, this.#tables.responses.get(idKey(id)) ?? NONE)
  }

  /** What a directive can be about; undefined if the invocation, or the schedule, has ended, or is not known. */
  waiting(id: string): WaitingTurn | undefined {
    const row = this.#row(id)
    if (!row) return isKey(id) ? this.#tables.schedules.waiting(idKey(id)) : undefined
    if (row.standing.ended) return undefined
    const { attempt, generation } = row.standing
    const { dueMs } = facetsOf(row)
    const record = this.#waitingRecord(id, row, dueMs)
    return { generation, attempt, record, ...(dueMs > 0 && { dueMs }) }
  }

  /** What can be redriven; undefined if the invocation is no dead letter. */
  deadLetter(id: string): DeadLetter | undefined {
    const row = this.#row(id)
    const isDead = DEAD_LETTER_STATES.some((state) => state === row?.standing.ended?.state)
    const entry = row && isDead ? readJournalLine(row.entry) : undefined
    if (!entry) return undefined
    const record = this.#tables.records.get(idKey(id)) ?? NONE
    return { generation: entry.generation, acceptedAtMs: Date.parse(entry.acceptedAt), record }
  }

  /** What was last asked of an invocation, until it is forgotten. */
  directive(id: string): Directive | undefined {
    if (!isKey(id)) return undefined
    this.#environment.refresh()
    return this.#tables.directive(idKey(id))
  }

  /** The first claim that was made under a key, until it is too old. */
  claim(key: string): KnownClaim | undefined {
    if (!isKey(key)) return undefined
    this.#environment.refresh()
    return new Claims(this.#tables).get(Buffer.from(key))
  }

  /**
   * A page of what matches a query. It ends early, and may be empty, where very many were looked at that do not match:
   * `next` then goes on behind them.
   * @throws PosthasteError `invalid-query`
   */
  list(query: InvocationQuery): InvocationPage {
    const listing = decideListing(query)
    this.#environment.refresh()
    const tenant = this.#tables.tenants.numberOf(query.tenant ?? '')
    if (tenant === undefined) return { items: [] }
    const items: Invocation[] = []
    let lookedAt = 0
    let last: Place | undefined
    for (const place of this.#tables.index.placesIn({ ...listing.range, tenant })) {
      if (last && (items.length >= query.limit || lookedAt >= LOOKED_AT_MAX)) return { items, next: writeCursor(last) }
      const invocation = this.#matching(idKeyOf(place), listing)
      if (invocation) items.push(invocation)
      lookedAt += 1
      last = place
    }
    return { items }
  }

  /** With a tenant as `get`. */
  schedule(id: string, tenant?: string): ShownSchedule | undefined {
    if (!isKey(id)) return undefined
    this.#environment.refresh()
    return this.#tables.schedules.get(idKey(id), tenant)
  }

  /** A page of schedules, as `list`. @throws PosthasteError `invalid-query` */
  schedules(query: ScheduleQuery): SchedulePage {
    this.#environment.refresh()
    return this.#tables.schedules.list(query)
  }

  counts(): InvocationCounts {
    this.#environment.refresh()
    const { accepted, byState, directives, ended } = readTally(this.#tables.meta)
    const { index } = this.#tables
    const queuedSinceMs = index.firstQueuedMs()
    const nextDueAtMs = index.nextDueMs()
    return {
      accepted,
      ended,
      byState,
      directives,
      ...(queuedSinceMs !== undefined && { queuedSinceMs }),
      ...(nextDueAtMs !== undefined && { nextDueAtMs }),
    }
  }

  /** When the oldest one that is `queued` was created. Takes a look for each tenant of whom something is open. */
  oldestWaitingAtMs(): number | undefined {
    this.#environment.refresh()
    const { index, tenants } = this.#tables
    return index.oldestMs('queued', tenants.open.tenants())
  }

  /** How many invocations and schedules of a tenant go on. */
  openOf(tenant: string): number {
    this.#environment.refresh()
    const { tenants } = this.#tables
    return tenants.open.of(tenants.numberOf(tenant))
  }

  /** How many directives stand: of a tenant, and of the others. */
  directivesOf(tenant: string): { readonly own: number; readonly others: number } {
    this.#environment.refresh()
    const { meta, tenants } = this.#tables
    const own = tenants.directives.of(tenants.numberOf(tenant))
    return { own, others: readTally(meta).directives - own }
  }

  #row(id: string, tenant?: string): Row | undefined {
    if (!isKey(id)) return undefined
    this.#environment.refresh()
    const bytes = this.#tables.rows.get(idKey(id))
    return bytes && this.#isOf(bytes, tenant) ? decodeRow(bytes) : undefined
  }

  #isOf(row: Buffer, tenant: string | undefined): boolean {
    return tenant === undefined || peekTenant(row) === this.#tables.tenants.numberOf(tenant)
  }

  #matching(id: Buffer, { matches, mayMatch }: Listing): Invocation | undefined {
    const bytes = this.#tables.rows.get(id)
    if (!bytes || !mayMatch(peekHashes(bytes))) return undefined
    const invocation = shownInvocation(idOf(id) as string, decodeRow(bytes), this.#tables.directive(id))
    return matches(invocation) ? invocation : undefined
  }

  /** The record of the turn that is waited for, made of that of an earlier one; empty if there is none. */
  #waitingRecord(id: string, row: Row, dueMs: number): Uint8Array {
    const { createdAtMs, standing } = row
    const value = this.#tables.records.get(idKey(id)) ?? NONE
    const call = readCall({ partition: 0, offset: 0, key: id, value, appendedAtMs: createdAtMs })
    if (!call) return NONE
    const { attempt, generation, move } = standing
    return encodeCall({
      ...call,
      ...{ id, generation, attempt },
      ...toldOfRetry(row),
      ...(move > 0 && { move }),
      ...(dueMs > 0 && { notBeforeMs: dueMs }),
    })
  }

  /** What waits all the same is found on `calls` when that is read again. */
  #passGap(writer: ViewWriter, missedUntilMs: number): void {
    writer.forgetUntil(missedUntilMs)
    this.#tables.meta.removeSync(positionKey('calls'))
  }

  /** The positions after the changes, if each of them begins where the one before ends. */
  #advanced(changes: readonly Change[]): ReadonlyMap<ViewedLog, string> | undefined {
    const positions = new Map<ViewedLog, string>()
    for (const { from, log, to } of changes) {
      if ((positions.get(log) ?? this.#savedPosition(log)) !== from) return undefined
      positions.set(log, to)
    }
    return positions
  }

  #savedPosition(log: ViewedLog): string | undefined {
    return this.#tables.meta.get(positionKey(log))?.toString()
  }
}

function positionKey(log: ViewedLog): string {
  return `position of ${log}`
}

/** What the last entry of a row says to the retry that is waited for, if it is one. */
function toldOfRetry({ entry, entryAttempt, entryGeneration, standing }: Row): ReturnType<typeof retryOf> {
  const isLast = entryGeneration === standing.generation && entryAttempt === standing.attempt - 1
  const line = isLast ? readJournalLine(entry) : undefined
  return line ? retryOf(line) : {}
}

function isKey(text: string): boolean {
  return text.length > 0 && text.length <= KEY_LENGTH_MAX
}
