import type { StatsDocument } from '@posthaste/core'
import { fromNow } from './moment.js'
import { Table } from './table.js'

const COUNT = 'INVOCATIONS'

/** Says how many invocations there are in each state, and how it goes. */
export function describeStats(stats: StatsDocument): string {
  const { nextDueAt, oldestWaiting, pendingChanges, rates, states, view } = stats
  const counts = Object.entries(states).map(([state, count]) => [state, String(count).padStart(COUNT.length)])
  const facts = [
    ['oldest queued', oldestWaiting ? fromNow(oldestWaiting.createdAt) : 'none'],
    ['next due', nextDueAt === undefined ? 'none' : fromNow(nextDueAt)],
    ['changes', `${pendingChanges} looked out for`],
    ['accepted', rates ? rateOf(rates.acceptedPerSecond) : 'not known'],
    ['ended', rates ? rateOf(rates.endedPerSecond) : 'not known'],
    ['as of', view.behindMs === undefined ? 'not known' : `${view.behindMs} ms ago`],
  ]
  return `${new Table(['STATE', COUNT]).lines(counts)}\n\n${new Table().lines(facts)}`
}

function rateOf(perSecond: number): string {
  return `${Number(perSecond.toPrecision(3))} a second`
}
