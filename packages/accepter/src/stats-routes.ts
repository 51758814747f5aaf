import { formatInstant } from '@posthaste/core'
import type { Activity, Metrics, ViewDoor } from './accepter-options.js'
import { OPERATIONS } from './operations.js'
import type { Routes } from './routes.js'

/** How many there are in which state, and how it goes. */
export function addStatsRoutes(routes: Routes, view: ViewDoor, activity: (() => Promise<Activity>) | undefined): void {
  routes.add(OPERATIONS.getStats, async ({ nowMs }, reply) => {
    reply.header('cache-control', 'no-store')
    return { ...countsOf(view, nowMs), view: viewOf(view), ...(await activity?.()) }
  })
}

/** Text for Prometheus. */
export function addMetricsRoutes(routes: Routes, metrics: () => Promise<Metrics>): void {
  routes.add(OPERATIONS.getMetrics, async (_, reply) => {
    const { contentType, text } = await metrics()
    return reply.header('cache-control', 'no-store').type(contentType).send(text)
  })
}

function countsOf(view: ViewDoor, nowMs: number): object {
  const { byState, directives, nextDueAtMs } = view.counts()
  const oldestWaitingAtMs = view.oldestWaitingAtMs()
  return {
    states: byState,
    pendingChanges: directives,
    oldestWaiting: oldestWaitingAtMs === undefined ? undefined : ageOf(oldestWaitingAtMs, nowMs),
    nextDueAt: nextDueAtMs === undefined ? undefined : formatInstant(nextDueAtMs),
  }
}

function ageOf(createdAtMs: number, nowMs: number): object {
  return { createdAt: formatInstant(createdAtMs), ageMs: Math.max(0, nowMs - createdAtMs) }
}

function viewOf(view: ViewDoor): object {
  const behindMs = performance.now() - view.asOfMs()
  return Number.isFinite(behindMs) ? { behindMs: Math.max(0, Math.round(behindMs)) } : {}
}
