import type { BulkReport } from '@posthaste/core'
import { LIMITS } from '@posthaste/core/basics'
import type { Session } from './api-command.js'
import { CommandError, EXIT, type ExitCode } from './exit-codes.js'
import { type FilterFlags, filterOf } from './filter.js'

export interface BulkFlags extends FilterFlags {
  readonly all?: true
  readonly dryRun?: true
  readonly rate?: number
  readonly timeout?: number
}

type Counts = Omit<BulkReport, 'next'>

/**
 * Whether a command is for single ids, or for all that a filter finds. To mean all it takes a word.
 * @throws CommandError if it is not said which, or twice
 */
export function decideScope(ids: readonly string[], flags: BulkFlags): 'ids' | 'bulk' {
  const { all, dryRun, rate, timeout } = flags
  const isFiltered = Object.keys(filterOf(flags)).length > 0
  if (ids.length + Number(all ?? 0) + Number(isFiltered) === 0) {
    throw new CommandError(EXIT.misused, 'Say which: ids, a filter such as --state failed, or --all.')
  }
  if (ids.length === 0 && timeout !== undefined) {
    throw new CommandError(EXIT.misused, '--timeout goes with ids: a filter and --all wait for no end.')
  }
  if (ids.length === 0) return 'bulk'
  if (all || isFiltered || dryRun || rate !== undefined) {
    throw new CommandError(EXIT.misused, 'Filters, --all, --dry-run and --rate do not go with ids.')
  }
  return 'ids'
}

/** Has something done to all that a filter finds, portion after portion, and shows how many these were. */
export async function doInBulk({ api, output }: Session, path: string, flags: BulkFlags): Promise<ExitCode> {
  const request = { filter: bulkFilterOf(flags), dryRun: flags.dryRun, rate: flags.rate }
  const limit = LIMITS.bulkInvocationsMax
  let counts: Counts = { matched: 0, done: 0, skipped: 0 }
  let cursor: string | undefined
  try {
    do {
      const { document: report } = await api.ask<BulkReport>('POST', path, { body: { ...request, limit, cursor } })
      counts = sum(counts, report)
      cursor = report.next
      output.progress(`${describeCounts(counts)} so far`)
    } while (cursor !== undefined)
  } catch (error) {
    output.progress('')
    if (cursor !== undefined) output.note(`It stopped with ${describeCounts(counts)}.`)
    throw error
  }
  output.progress('')
  await output.show(counts, describeCounts)
  return EXIT.done
}

function bulkFilterOf(flags: BulkFlags): object {
  const { state, ...filter } = filterOf(flags)
  return state === undefined ? filter : { ...filter, state: state.split(',') }
}

function sum(a: Counts, b: Counts): Counts {
  return { matched: a.matched + b.matched, done: a.done + b.done, skipped: a.skipped + b.skipped }
}

function describeCounts({ done, matched, skipped }: Counts): string {
  return `${matched} matched, ${done} done, ${skipped} skipped`
}
