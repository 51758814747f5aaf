import { addAcceptRoutes } from './accept-routes.js'
import { Acceptance } from './acceptance.js'
import type { AccepterOptions } from './accepter-options.js'
import { addBulkCancelRoutes } from './bulk-cancel-routes.js'
import { addCancelRoutes } from './cancel-routes.js'
import { Cancelling } from './cancelling.js'
import { Claims } from './claims.js'
import { addCycleRoutes } from './cycle-routes.js'
import { Directives } from './directives.js'
import { openDoors } from './doors/open-doors.js'
import { addHealthRoutes } from './health-routes.js'
import { Intake } from './intake.js'
import { addListRoutes } from './list-routes.js'
import { Lookup } from './lookup.js'
import { addMoveRoutes } from './move-routes.js'
import { OpenLimit } from './open-limit.js'
import { addOpenApiRoutes } from './openapi-routes.js'
import * as RAW_OPERATIONS from './raw-operations.js'
import { addRedriveRoutes } from './redrive-routes.js'
import { Redrives } from './redrives.js'
import type { Routes } from './routes.js'
import { addScheduleAcceptRoute, addScheduleRoutes } from './schedule-routes.js'
import { addScheduleSteerRoutes } from './schedule-steer-routes.js'
import { addShowRoutes } from './show-routes.js'
import { addMetricsRoutes, addStatsRoutes } from './stats-routes.js'
import type { Waits } from './waits.js'

/** Adds what is served behind the doors that there are. */
export function addRoutes(routes: Routes, options: AccepterOptions, waits: Waits): void {
  const { activity, clock, cycle, invocations, metrics, readiness, view } = options
  addHealthRoutes(routes, readiness)
  addOpenApiRoutes(routes)
  if (cycle) addCycleRoutes(routes, cycle, waits)
  if (metrics) addMetricsRoutes(routes, metrics)
  const intake = invocations && new Intake(invocations, options.egress, options.doors?.functions)
  const lookup = view && new Lookup(view, waits, intake)
  const openLimit = new OpenLimit(view)
  const claims = view && intake && new Claims(view, intake)
  const directives = lookup && intake && new Directives(lookup.view, intake, clock, options.changesMax)
  const cancelling = directives && new Cancelling(lookup, directives)
  if (intake) {
    const acceptance = new Acceptance(intake, claims, openLimit)
    addAcceptRoutes(routes, intake, acceptance, openLimit, options.onRefused)
    addScheduleAcceptRoute(routes, intake, acceptance)
    if (options.serves?.('invoke') ?? true)
      routes.addDoors(Object.values(RAW_OPERATIONS), (frame) =>
        openDoors({ ...frame, ...options, acceptance, cancelling, lookup }),
      )
  }
  if (lookup) {
    addShowRoutes(routes, lookup)
    addListRoutes(routes, lookup)
    addScheduleRoutes(routes, lookup)
    addStatsRoutes(routes, lookup.view, activity)
  }
  if (lookup && intake && claims && directives && cancelling) {
    addCancelRoutes(routes, cancelling)
    addBulkCancelRoutes(routes, lookup, directives)
    addMoveRoutes(routes, lookup, directives)
    addRedriveRoutes(routes, lookup, new Redrives(lookup.view, claims, intake), openLimit)
    addScheduleSteerRoutes(routes, lookup, directives)
  }
}
