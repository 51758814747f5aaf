import type { InvocationList, InvocationSummary } from '@posthaste/core'
import { LIMITS } from '@posthaste/core/basics'
import type { Api } from './api.js'
import type { Session } from './api-command.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { type FilterFlags, filterOf } from './filter.js'
import { callOf } from './invocation.js'
import { fromNow } from './moment.js'
import type { Output } from './output.js'
import { Table } from './table.js'

export interface ListFlags extends FilterFlags {
  readonly limit: number
  readonly cursor?: string
  readonly all?: true
}

/** Lists invocations, page after page, while they are read: a page may be short, or empty, where there are more. */
export async function list({ api, output }: Session, flags: ListFlags): Promise<ExitCode> {
  const pages = pagesOf(api, output, flags)
  if (!output.isJson) await showTable(pages, output)
  else if (flags.all) await showLines(pages, output)
  else await showDocument(pages, output)
  return EXIT.done
}

async function* pagesOf(api: Api, output: Output, flags: ListFlags): AsyncGenerator<InvocationList> {
  const filter = filterOf(flags)
  let left = flags.all ? Number.POSITIVE_INFINITY : flags.limit
  let cursor = flags.cursor
  do {
    const query = { ...filter, limit: String(Math.min(LIMITS.listInvocationsMax, left)), cursor }
    const { document: page } = await api.ask<InvocationList>('GET', '/invocations', { query })
    yield page
    left -= page.invocations.length
    cursor = page.next
  } while (cursor !== undefined && left > 0 && output.isRead)
}

async function showDocument(pages: AsyncIterable<InvocationList>, output: Output): Promise<void> {
  const invocations: InvocationSummary[] = []
  let next: string | undefined
  for await (const page of pages) {
    invocations.push(...page.invocations)
    next = page.next
  }
  await output.json({ invocations, next })
}

async function showLines(pages: AsyncIterable<InvocationList>, output: Output): Promise<void> {
  for await (const { invocations } of pages) {
    for (const invocation of invocations) await output.json(invocation)
  }
}

async function showTable(pages: AsyncIterable<InvocationList>, output: Output): Promise<void> {
  const table = new Table(['ID', 'STATE', 'CREATED', 'NEXT', 'FAILURE', 'CALL'])
  let next: string | undefined
  for await (const page of pages) {
    if (page.invocations.length > 0) await output.text(table.lines(page.invocations.map(rowOf)))
    next = page.next
  }
  if (next !== undefined) output.note(`There are more: --all shows them, or go on with --cursor ${next}`)
}

function rowOf(invocation: InvocationSummary): string[] {
  const { createdAt, failure, id, nextAttemptAt, state } = invocation
  const next = nextAttemptAt === undefined ? '' : fromNow(nextAttemptAt)
  return [id, state, fromNow(createdAt), next, failure?.code ?? '', callOf(invocation)]
}
