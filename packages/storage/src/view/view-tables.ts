import { type Directive, decodeDirective, type Sealer } from '@posthaste/core'
import type { Environment, Table } from '../environment.js'
import { InvocationIndex } from './invocation-index.js'
import { Minutes } from './minutes.js'
import { decodeRow, type Row } from './row.js'
import { Schedules } from './schedules.js'
import { type ValueTable, valueTable } from './sealed-table.js'
import { Tenants } from './tenants.js'

/** How keys and values are written. Whoever writes any of them otherwise counts up: a view of another form is made anew. */
const FORM = Buffer.from('3')
const FORM_KEY = 'form'
const SEALED_KEY = 'sealed'

/** The tables of a view. What is kept of an invocation stands under `idKey` of its id. */
export class ViewTables {
  readonly rows: ValueTable
  /** The record of a call that goes on, or of a dead letter. */
  readonly records: ValueTable
  /** The body of the last response. */
  readonly responses: ValueTable
  readonly directives: ValueTable
  readonly claims: ValueTable
  /** The key of the claim that an invocation came by. */
  readonly claimKeys: Table<Buffer>
  readonly meta: Table<string>
  readonly tenants: Tenants
  readonly index: InvocationIndex
  readonly schedules: Schedules
  /** By the minute in which an invocation ended. */
  readonly ended: Minutes
  /** By the minute in which the stream took a claim. */
  readonly claimed: Minutes
  readonly #environment: Environment
  readonly #sealer: Sealer | undefined
  readonly #ofInvocations: readonly Pick<Table<Buffer>, 'clearSync' | 'getStats'>[]
  readonly #all: readonly Pick<Table<Buffer>, 'clearSync'>[]

  constructor(environment: Environment, sealer?: Sealer) {
    const open = (name: string): Table<Buffer> => environment.byteTable(name)
    // What tells of calls; the rest is ids, times and hashes.
    const openSealed = (name: string): ValueTable => valueTable(open(name), name, sealer)
    const [ended, claimed] = [open('ended'), open('claimed')]
    const [schedules, schedulesOf] = [openSealed('schedules'), open('schedules-of')]
    this.rows = openSealed('invocations')
    this.records = openSealed('records')
    this.responses = openSealed('responses')
    this.directives = openSealed('directives')
    this.claims = openSealed('claims')
    this.claimKeys = open('claim-keys')
    this.meta = environment.table('meta')
    this.index = new InvocationIndex(open)
    this.tenants = new Tenants(open)
    this.schedules = new Schedules(schedules, schedulesOf, this.tenants, (id) => this.directive(id))
    this.ended = new Minutes(ended)
    this.claimed = new Minutes(claimed)
    this.#environment = environment
    this.#sealer = sealer
    this.#ofInvocations = [this.rows, this.records, this.responses, ...Object.values(this.index.tables), ended]
    const ofOthers = [this.directives, this.claims, this.claimKeys, claimed, schedules, schedulesOf]
    this.#all = [...this.#ofInvocations, ...ofOthers, this.tenants, this.meta]
  }

  row(id: Buffer): Row | undefined {
    const bytes = this.rows.get(id)
    return bytes && decodeRow(bytes)
  }

  directive(id: Buffer): Directive | undefined {
    const bytes = this.directives.get(id)
    return bytes && decodeDirective(bytes)
  }

  /** Whether this version wrote what stands here. */
  get isReadable(): boolean {
    return this.meta.get(FORM_KEY)?.equals(FORM) ?? false
  }

  /** Whether something here may be sealed. */
  get isSealed(): boolean {
    return this.meta.get(SEALED_KEY) !== undefined
  }

  /** Says, where there are keys, that what is written from now on is sealed. What was there before stays as it is. */
  async markSealed(): Promise<void> {
    if (this.#sealer && !this.isSealed) await this.#environment.commit(() => this.#markSealedNow())
  }

  #markSealedNow(): void {
    if (this.#sealer) this.meta.putSync(SEALED_KEY, Buffer.from('1'))
  }

  /** What invocations take on disk, with everything that is kept to find them. */
  bytesOfInvocations(): number {
    return this.#ofInvocations.reduce((sum, table) => sum + pageBytesOf(table), 0)
  }

  clear(): Promise<void> {
    return this.#environment.commit(() => {
      for (const table of this.#all) table.clearSync()
      this.meta.putSync(FORM_KEY, FORM)
      this.#markSealedNow()
    })
  }
}

function pageBytesOf(table: Pick<Table<Buffer>, 'getStats'>): number {
  const { overflowPages, pageSize, treeBranchPageCount, treeLeafPageCount } = table.getStats() as Record<string, number>
  return (Number(overflowPages) + Number(treeBranchPageCount) + Number(treeLeafPageCount)) * Number(pageSize)
}
