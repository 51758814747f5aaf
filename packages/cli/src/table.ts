/** Lays out rows of text in columns. Its columns never become narrower, so that pages of one list stand below each other. */
export class Table {
  #header: readonly string[] | undefined
  #widths: readonly number[] = []

  constructor(header?: readonly string[]) {
    this.#header = header
  }

  /** The rows, all with as many cells, a line each; below the header, if there is one, the first time. */
  lines(rows: readonly (readonly string[])[]): string {
    const all = this.#header ? [this.#header, ...rows] : rows
    this.#header = undefined
    for (const row of all) {
      this.#widths = row.map(({ length }, column) => Math.max(length, this.#widths[column] ?? 0))
    }
    return all.map((row) => this.#line(row)).join('\n')
  }

  #line(row: readonly string[]): string {
    const cells = row.map((cell, column) => cell.padEnd(this.#widths[column] ?? 0))
    return cells.join('  ').trimEnd()
  }
}
