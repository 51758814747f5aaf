import { type Directive, decodeDirective } from '@posthaste/core'
import type { Environment, Table } from '../environment.js'
import { InvocationIndex } from './invocation-index.js'
import { Minutes } from './minutes.js'
import { decodeRow, type Row } from './row.js'
import { Schedules } from './schedules.js'

/** How keys and values are written. Whoever writes any of them otherwise counts up: a view of another form is made anew. */
const FORM = Buffer.from('2')
const FORM_KEY = 'form'

/** The tables of a view. What is kept of an invocation stands under `idKey` of its id. */
export class ViewTables {
  readonly rows: Table<Buffer>
  /** The record of a call that goes on, or of a dead letter. */
  readonly records: Table<Buffer>
  /** The body of the last response. */
  readonly responses: Table<Buffer>
  readonly directives: Table<Buffer>
  readonly claims: Table<Buffer>
  /** The key of the claim that an invocation came by. */
  readonly claimKeys: Table<Buffer>
  readonly meta: Table<string>
  readonly index: InvocationIndex
  readonly schedules: Schedules
  /** By the minute in which an invocation ended. */
  readonly ended: Minutes
  /** By the minute in which the stream took a claim. */
  readonly claimed: Minutes
  readonly #environment: Environment
  readonly #ofInvocations: readonly Table<Buffer>[]
  readonly #all: readonly Pick<Table<Buffer>, 'clearSync'>[]

  constructor(environment: Environment) {
    const open = (name: string): Table<Buffer> => environment.byteTable(name)
    const [ended, claimed, schedules] = [open('ended'), open('claimed'), open('schedules')]
    this.rows = open('invocations')
    this.records = open('records')
    this.responses = open('responses')
    this.directives = open('directives')
    this.claims = open('claims')
    this.claimKeys = open('claim-keys')
    this.meta = environment.table('meta')
    this.index = new InvocationIndex(open)
    this.schedules = new Schedules(schedules, (id) => this.directive(id))
    this.ended = new Minutes(ended)
    this.claimed = new Minutes(claimed)
    this.#environment = environment
    this.#ofInvocations = [this.rows, this.records, this.responses, ...Object.values(this.index.tables), ended]
    this.#all = [...this.#ofInvocations, this.directives, this.claims, this.claimKeys, claimed, schedules, this.meta]
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

  /** What invocations take on disk, with everything that is kept to find them. */
  bytesOfInvocations(): number {
    return this.#ofInvocations.reduce((sum, table) => sum + pageBytesOf(table), 0)
  }

  clear(): Promise<void> {
    return this.#environment.commit(() => {
      for (const table of this.#all) table.clearSync()
      this.meta.putSync(FORM_KEY, FORM)
    })
  }
}

function pageBytesOf(table: Table<Buffer>): number {
  const { overflowPages, pageSize, treeBranchPageCount, treeLeafPageCount } = table.getStats() as Record<string, number>
  return (Number(overflowPages) + Number(treeBranchPageCount) + Number(treeLeafPageCount)) * Number(pageSize)
}
