import { callName } from './ledger.js'
import type { Arrival, TargetServer } from './target-server.js'

/** When the kernel has closed the connections of a process that was killed, on a busy machine. */
const CLOSE_MS_MAX = 1_000

/** Calls that came more than once. */
export interface Repeats {
  readonly count: number
  /** Those that no kill explains, in words. */
  readonly unexplained: readonly string[]
}

/**
 * Finds the calls that were made again, where several listeners run and some are killed. A kill explains that a call is
 * made again if the process that had made it is the one that was killed, which its connection tells, and if the call
 * was running then, or answered less than `commitMs` before, so that this may not have been recorded.
 */
export function findRepeats(target: TargetServer, killsAtMs: readonly number[], commitMs: number): Repeats {
  const calls = new Map<string, Arrival[]>()
  for (const arrival of target.arrivals) {
    const name = callName(arrival)
    calls.set(name, [...(calls.get(name) ?? []), arrival])
  }
  const unexplained: string[] = []
  let count = 0
  for (const [name, arrivals] of calls) {
    count += arrivals.length - 1
    for (const { answered, atMs, connection, endedAtMs, path } of arrivals.slice(0, -1)) {
      const closedMs = target.closedAtMs(connection) ?? Number.POSITIVE_INFINITY
      const killMs = killsAtMs.find((ms) => ms <= closedMs && closedMs <= ms + CLOSE_MS_MAX)
      if (killMs !== undefined && (!answered || (endedAtMs as number) >= killMs - commitMs)) continue
      const again = arrivals.map((other) => other.atMs - atMs).join(', ')
      const end = killMs === undefined ? 'not killed' : `killed ${killMs - (endedAtMs as number)} ms after the answer`
      unexplained.push(`${name} (${path}) came at ${again} ms, by a process that was ${end}`)
    }
  }
  return { count, unexplained }
}
