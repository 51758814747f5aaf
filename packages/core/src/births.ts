import type { Call } from './call.js'
import type { Child, ChildRole, Children } from './child.js'
import { destinationCallOf } from './destination-call.js'
import { forwardOf } from './forward.js'
import { type JournalEntry, outcomeOf } from './journal-entry.js'
import type { FinalState } from './lifecycle.js'

/** What an end gives rise to: what the journal tells of it, and what is to be called. */
export interface Births {
  readonly children: Children
  readonly calls: readonly Call[]
}

const NOBODY: Births = { children: {}, calls: [] }
const REFUSED: Child = { refused: 'depth-exceeded' }

/**
 * Decides what an end gives rise to: the forward, and what tells a destination. That follows from the call and its journal
 * entry, however often. Of what was cancelled nobody is told: nobody waits for it. The record of each has no more than
 * `recordBytesMax`.
 */
export function birthsOf(call: Call, entry: JournalEntry, recordBytesMax: number): Births {
  const { forwardTo } = call
  const state = entry.state as FinalState
  if (state === 'cancelled') return NOBODY
  const born: [ChildRole, Call | undefined][] = []
  if (forwardTo !== undefined)
    born.push(['forward', forwardOf({ ...call, forwardTo }, state, outcomeOf(entry), entry.atMs)])
  const destination = state === 'succeeded' ? call.onSuccess : call.onFailure
  if (destination) born.push(['destination', destinationCallOf(call, destination, entry, recordBytesMax)])
  if (born.length === 0) return NOBODY
  return {
    children: Object.fromEntries(born.map(([role, child]) => [role, child ? { id: child.id } : REFUSED])),
    calls: born.flatMap(([, child]) => child ?? []),
  }
}
