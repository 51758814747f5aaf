import { INVOCATION_STATES, type InvocationState } from '@posthaste/core'
import type { Table } from '../environment.js'

/** Numbers that are counted in the transaction of what they count. */
export interface Tally {
  /** How many came to be known, and how many of their generations ended, ever. */
  accepted: number
  ended: number
  readonly byState: Record<InvocationState, number>
  directives: number
  /** How many numbers were given out. */
  numbers: number
}

const KEY = 'tally'

export function readTally(table: Table<string>): Tally {
  const bytes = table.get(KEY)
  if (bytes) return JSON.parse(bytes.toString()) as Tally
  const none = INVOCATION_STATES.map((state) => [state, 0] as const)
  const byState = Object.fromEntries(none) as Record<InvocationState, number>
  return { accepted: 0, ended: 0, byState, directives: 0, numbers: 0 }
}

/** For use inside `Environment.commit`. */
export function writeTallyNow(table: Table<string>, tally: Tally): void {
  table.putSync(KEY, Buffer.from(JSON.stringify(tally)))
}
