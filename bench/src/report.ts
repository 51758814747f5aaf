import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where figures and profiles are written. Not kept under version control. */
export const RESULTS = fileURLToPath(new URL('../../results', import.meta.url))

/** Prints rows under their column names, numbers to the right. */
export function printTable(title: string, rows: readonly Readonly<Record<string, string | number>>[]): void {
  const names = Object.keys(rows[0] ?? {})
  const cells = [names, ...rows.map((row) => names.map((name) => textOf(row[name] ?? '')))]
  const widths = names.map((_, column) => Math.max(...cells.map((row) => (row[column] as string).length)))
  console.log(`\n${title}`)
  cells.forEach((row, index) => {
    const padded = row.map((cell, column) => {
      const isNumber = typeof rows[0]?.[names[column] as string] === 'number'
      return isNumber ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] as number)
    })
    console.log(`  ${padded.join('  ').trimEnd()}`)
    if (index === 0) console.log(`  ${widths.map((width) => '-'.repeat(width)).join('  ')}`)
  })
}

/** Writes what was measured, with what it was measured on, and says where. */
export function writeResult(name: string, figures: object): void {
  mkdirSync(RESULTS, { recursive: true })
  const path = join(RESULTS, `${name}.json`)
  const machine = { node: process.version, processors: cpus().length, model: cpus()[0]?.model, memoryBytes: totalmem() }
  writeFileSync(path, `${JSON.stringify({ at: new Date().toISOString(), machine, ...figures }, undefined, 2)}\n`)
  console.log(`\nwritten to ${path}`)
}

function textOf(value: string | number): string {
  if (typeof value === 'string') return value
  if (Number.isInteger(value) || Math.abs(value) >= 1_000) return String(Math.round(value))
  return value.toFixed(Math.abs(value) >= 100 ? 0 : 2)
}
