import type { InvocationQuery } from '@posthaste/core'
import { summaryOf } from './invocation-document.js'
import type { Lookup } from './lookup.js'
import { OPERATIONS } from './operations.js'
import type { Routes } from './routes.js'

const LIMIT_DEFAULT = 50

/** The invocations that match, newest first, a page at a time. */
export function addListRoutes(routes: Routes, lookup: Lookup): void {
  routes.add(OPERATIONS.listInvocations, async ({ caller, query, request }, reply) => {
    const { correlationId, createdAfter, createdBefore, cursor, limit = LIMIT_DEFAULT, parent, state, target } = query
    const wanted: InvocationQuery & { readonly tenant: string } = {
      tenant: caller.tenant,
      limit,
      ...(state && { states: state }),
      ...(target !== undefined && { target }),
      ...(correlationId !== undefined && { correlationId }),
      ...(parent !== undefined && { parent }),
      ...(createdAfter !== undefined && { createdAfterMs: createdAfter }),
      ...(createdBefore !== undefined && { createdBeforeMs: createdBefore }),
      ...(cursor !== undefined && { cursor }),
    }
    if (cursor === undefined) await lookup.catchUp(reply)
    const { items, next } = lookup.view.list(wanted)
    reply.header('cache-control', 'no-cache')
    if (next !== undefined) reply.header('link', linkToNext(request.url, next))
    return { invocations: items.map(summaryOf), next }
  })
}

/** For a `Link` header: the same request for the next page. */
export function linkToNext(url: string, cursor: string): string {
  // A target may have one too.
  const [path = '', ...query] = url.split('?')
  const parameters = new URLSearchParams(query.join('?'))
  parameters.set('cursor', cursor)
  return `<${path}?${parameters}>; rel="next"`
}
