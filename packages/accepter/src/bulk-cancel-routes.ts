import type { Invocation } from '@posthaste/core'
import { runBulk } from './bulk-run.js'
import type { Directives } from './directives.js'
import type { Lookup } from './lookup.js'
import { OPERATIONS } from './operations.js'
import type { Routes } from './routes.js'

/** Asks for all that match to be made no more. Does not wait for their ends. */
export function addBulkCancelRoutes(routes: Routes, lookup: Lookup, directives: Directives): void {
  routes.add(OPERATIONS.cancelInvocations, async ({ body, caller }, reply) => {
    if (body.cursor === undefined) await lookup.catchUp(reply)
    const { tenant } = caller
    const { done, matched, next } = await runBulk(lookup.view, tenant, body, body.cursor, (items) =>
      cancelAll(items, tenant, directives),
    )
    return { matched, done, skipped: body.isDryRun ? 0 : matched - done, next }
  })
}

/** Returns how many it asked for: not those that have ended, or that are being cancelled. */
async function cancelAll(invocations: readonly Invocation[], tenant: string, directives: Directives): Promise<number> {
  const drafts = invocations.flatMap(({ id }) => directives.draft({ id, tenant }, 'cancel')?.directive ?? [])
  const standing = drafts.flatMap((draft) => directives.cancellationOf(draft) ?? [])
  const isStanding = new Set(standing.map(({ id }) => id))
  const asked = drafts.filter(({ id }) => !isStanding.has(id))
  await directives.append([...asked, ...standing.filter(({ isDone }) => !isDone)])
  return asked.length
}
