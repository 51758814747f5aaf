import { firingOf, firstTick, type ShownSchedule, shownSchedule, type TickCall } from '@posthaste/core'
import type { Acceptance } from './acceptance.js'
import { samenessOf } from './idempotency-key.js'
import { depthOf, type Intake } from './intake.js'
import { linkToNext } from './list-routes.js'
import type { Lookup } from './lookup.js'
import { OPERATIONS } from './operations.js'
import type { Routes } from './routes.js'
import { scheduleDocument } from './schedule-document.js'

const RUNS_DEFAULT = 5
const LIMIT_DEFAULT = 50
/** What costs little for each of many. */
const RUNS_IN_LIST = 1

/** Takes schedules: each is the record of its first tick. */
export function addScheduleAcceptRoute(routes: Routes, intake: Intake, acceptance: Acceptance): void {
  routes.add(OPERATIONS.createSchedule, async ({ body, caller, nowMs, request }, reply) => {
    const sameness = samenessOf(request)
    const call = intake.newCall(body, { caller, depth: depthOf(request), nowMs, under: '/instruction' })
    const tick = firstTick({ ...call, schedule: body.schedule }, nowMs)
    const record = intake.fittingRecordOf(tick)
    // What is called says more than the tick, if less besides.
    intake.fittingRecordOf(firingOf(tick, nowMs, nowMs))
    const { call: accepted, isNew } = await acceptance.take(tick, record, caller, sameness)
    if (!isNew) reply.header('idempotency-replayed', 'true')
    reply.code(201).header('location', `/schedules/${accepted.id}`)
    return scheduleDocument(shownSchedule(accepted as TickCall), nowMs, RUNS_DEFAULT)
  })
}

/** One schedule, and all of them. */
export function addScheduleRoutes(routes: Routes, lookup: Lookup): void {
  const { view } = lookup
  routes.add(OPERATIONS.getSchedule, async (asked, reply) => {
    const shown = await lookup.findSchedule(asked, reply)
    reply.header('cache-control', 'no-cache')
    return scheduleDocument(shown, asked.nowMs, asked.query.runs ?? RUNS_DEFAULT)
  })

  routes.add(OPERATIONS.listSchedules, async ({ caller, nowMs, query, request }, reply) => {
    const { cursor, limit = LIMIT_DEFAULT, state } = query
    if (cursor === undefined) await lookup.catchUp(reply)
    const { items, next } = view.schedules({
      tenant: caller.tenant,
      limit,
      ...(state && { states: state }),
      ...(cursor !== undefined && { cursor }),
    })
    reply.header('cache-control', 'no-cache')
    if (next !== undefined) reply.header('link', linkToNext(request.url, next))
    return { schedules: items.map((shown: ShownSchedule) => scheduleDocument(shown, nowMs, RUNS_IN_LIST)), next }
  })
}
