import type { Table } from '../environment.js'

/** The operator's own, whose name is empty. 0 is nobody's. */
const OPERATOR = 1
/** Under this key is the last number that was given: no name is like it. */
const LAST_KEY = Buffer.of(0)
const NUMBER_BYTES = 4

/**
 * The tenants of a view. Each has a number, which keys begin with: so what is another's is not even come across. A name
 * keeps its number for as long as the view is not made anew. Methods that end in `Now` are for use inside
 * `Environment.commit`.
 */
export class Tenants {
  /** The invocations and schedules of each that go on. */
  readonly open: TenantCounts
  /** The directives of each that stand. */
  readonly directives: TenantCounts
  readonly #numbers: Table<Buffer>

  constructor(openTable: (name: string) => Table<Buffer>) {
    this.#numbers = openTable('tenants')
    this.open = new TenantCounts(openTable('open-of'))
    this.directives = new TenantCounts(openTable('directives-of'))
  }

  /** Undefined for one of whom nothing was ever told. */
  numberOf(name: string): number | undefined {
    return name === '' ? OPERATOR : this.#numbers.get(Buffer.from(name))?.readUInt32BE()
  }

  /** Gives him a number if he has none. */
  numberOfNow(name: string): number {
    const known = this.numberOf(name)
    if (known !== undefined) return known
    const number = (this.#numbers.get(LAST_KEY)?.readUInt32BE() ?? OPERATOR) + 1
    this.#numbers.putSync(LAST_KEY, numberKey(number))
    this.#numbers.putSync(Buffer.from(name), numberKey(number))
    return number
  }

  clearSync(): void {
    for (const table of [this.#numbers, this.open, this.directives]) table.clearSync()
  }
}

/** How much of something each tenant has, by number: nothing stands there for none. */
export class TenantCounts {
  readonly #counts: Table<Buffer>

  constructor(counts: Table<Buffer>) {
    this.#counts = counts
  }

  of(tenant: number | undefined): number {
    return (tenant !== undefined && this.#counts.get(numberKey(tenant))?.readUInt32BE()) || 0
  }

  /** Adds so many more, or less, by tenant. */
  addNow(all: Iterable<readonly [tenant: number, more: number]>): void {
    for (const [tenant, more] of all) {
      const count = Math.max(0, this.of(tenant) + more)
      if (count > 0) this.#counts.putSync(numberKey(tenant), numberKey(count))
      else this.#counts.removeSync(numberKey(tenant))
    }
  }

  /** The numbers of those who have something. */
  tenants(): number[] {
    return [...this.#counts.getKeys()].map((key) => key.readUInt32BE())
  }

  clearSync(): void {
    this.#counts.clearSync()
  }
}

export function numberKey(number: number): Buffer {
  const key = Buffer.allocUnsafe(NUMBER_BYTES)
  key.writeUInt32BE(number)
  return key
}
