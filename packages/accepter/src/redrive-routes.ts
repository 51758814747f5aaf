import { type BulkRedriveRequest, type Invocation, LIMITS, PosthasteError } from '@posthaste/core'
import { bulkCursor, readBulkCursor } from './bulk-cursor.js'
import { runBulk } from './bulk-run.js'
import type { Lookup } from './lookup.js'
import type { OpenLimit } from './open-limit.js'
import { OPERATIONS } from './operations.js'
import type { Redrives } from './redrives.js'
import { rateLimited } from './request-rates.js'
import type { Routes } from './routes.js'

/** How long to wait for the view, so that whoever looks at once sees the next generation. */
const SHOWN_MS_MAX = 2_000

/** Sends dead letters again: one, or all that match. */
export function addRedriveRoutes(routes: Routes, lookup: Lookup, redrives: Redrives, openLimit: OpenLimit): void {
  const { view } = lookup
  routes.add(OPERATIONS.redriveInvocation, async (asked, reply) => {
    const invocation = await lookup.find(asked, reply)
    if (!isDeadLetter(invocation))
      throw new PosthasteError('not-redrivable', `Its generation ${invocation.generation} is ${invocation.state}.`)
    const redrive = () => redrives.redrive(invocation, asked)
    const { generation, id } = await openLimit.opening(asked.caller, 1, redrive)
    const isShown = (): true | undefined => ((view.get(id)?.generation ?? 0) >= generation ? true : undefined)
    await lookup.until(reply, isShown, SHOWN_MS_MAX)
    reply.code(202).header('location', `/invocations/${id}`)
    return { id, generation, state: 'queued' }
  })

  routes.add(OPERATIONS.redriveInvocations, async ({ body, caller, countMore, nowMs }, reply) => {
    if (body.cursor === undefined) await lookup.catchUp(reply)
    const { list, startMs } = readBulkCursor(body.cursor, nowMs)
    checkSpan(body, startMs, nowMs)
    const due = (index: number): number | undefined => dueMs(body, startMs, index)
    const { done, matched, next } = await runBulk(view, caller.tenant, body, list, async (items, before) => {
      // Each is a call that he has made, as if he had sent it.
      const counted = items.slice(0, countMore(items.length))
      const redrive = () => redrives.redriveAll(counted, { caller, nowMs }, (index) => due(before + index))
      const redriven = await openLimit.opening(caller, counted.length, redrive)
      if (counted.length < items.length) throw rateLimited(caller)
      return redriven
    })
    // Whoever looks at once is to see the next generations.
    if (done > 0) await lookup.catchUp(reply)
    return {
      matched,
      done,
      skipped: body.isDryRun ? 0 : matched - done,
      next: next === undefined ? undefined : bulkCursor({ list: next, startMs: due(done) ?? startMs }),
    }
  })
}

function isDeadLetter({ state }: Invocation): boolean {
  return state === 'failed' || state === 'expired'
}

/** When number `index` is to be called; undefined if at once. */
function dueMs({ rate }: BulkRedriveRequest, startMs: number, index: number): number | undefined {
  return rate === undefined ? undefined : Math.round(startMs + (index * 1_000) / rate)
}

/** @throws PosthasteError if this would go on for longer than anything may be put off */
function checkSpan(request: BulkRedriveRequest, startMs: number, nowMs: number): void {
  const lastMs = dueMs(request, startMs, request.limit) ?? nowMs
  if (lastMs <= nowMs + LIMITS.delayMsMax) return
  const detail = 'At this rate some would be called later than any call may be put off.'
  throw PosthasteError.ofFields([{ pointer: '/rate', code: 'invalid-field', detail }])
}
