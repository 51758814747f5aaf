import type { Environment, Table } from '@posthaste/storage'
import type { LogName } from '@posthaste/stream'

/** Where the next record of a log will stand: kept apart, so that offsets go on when all of its records are gone. */
export class LogEnd {
  readonly #log: LogName
  readonly #table: Table<string>

  constructor(environment: Environment, log: LogName) {
    this.#log = log
    this.#table = environment.table('log-ends')
  }

  read(): number {
    return this.#table.get(this.#log)?.readDoubleLE(0) ?? 0
  }

  /** For use inside `Environment.commit`. */
  moveNow(end: number): void {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeDoubleLE(end)
    this.#table.putSync(this.#log, bytes)
  }
}
