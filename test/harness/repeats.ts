import { callName } from './ledger.js'
import type { Arrival, TargetServer } from './target-server.js'

export interface Kill {
  readonly atMs: number
  /** When the target has seen every connection of the process break: on a busy machine some time later. */
  readonly seenMs: number
}

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
export function findRepeats(target: TargetServer, kills: readonly Kill[], commitMs: number): Repeats {
  const calls = callsByName(target)
  const unexplained: string[] = []
  let count = 0
  for (const [name, arrivals] of calls) {
    count += arrivals.length - 1
    for (const { answered, atMs, connection, endedAtMs, path } of arrivals.slice(0, -1)) {
      const closedMs = target.closedAtMs(connection) ?? Number.POSITIVE_INFINITY
      const kill = kills.find((one) => one.atMs <= closedMs && closedMs <= one.seenMs)
      if (kill && (!answered || (endedAtMs as number) >= kill.atMs - commitMs)) continue
      const times = arrivals.map((other) => other.atMs - atMs).join(', ')
      const last = kills.findLast((one) => one.atMs <= closedMs)
      const end = kill
        ? `killed ${kill.atMs - (endedAtMs as number)} ms after the answer`
        : `not killed; its connection ended ${closedMs - atMs} ms later, ${closedMs - (last?.atMs ?? 0)} ms after a kill`
      unexplained.push(`${name} (${path}) came at ${times} ms, first by a process that was ${end}`)
    }
  }
  return { count, unexplained }
}

/** Finds the calls that were made again although the first one was neither made nor answered in a span of time. */
export function repeatsBeside(target: TargetServer, fromMs: number, toMs: number): Repeats {
  const repeated = [...callsByName(target)].filter(([, arrivals]) => arrivals.length > 1)
  const isBeside = ({ atMs, endedAtMs = Number.POSITIVE_INFINITY }: Arrival): boolean =>
    atMs > toMs || endedAtMs < fromMs
  return {
    count: repeated.reduce((sum, [, { length }]) => sum + length - 1, 0),
    unexplained: repeated.flatMap(([name, arrivals]) =>
      arrivals
        .slice(0, -1)
        .filter(isBeside)
        .map(
          ({ atMs, path }) => `${name} (${path}) came ${atMs - fromMs} ms after the beginning, of ${toMs - fromMs} ms`,
        ),
    ),
  }
}

function callsByName(target: TargetServer): Map<string, Arrival[]> {
  const calls = new Map<string, Arrival[]>()
  for (const arrival of target.arrivals) {
    const arrivals = calls.get(callName(arrival))
    if (arrivals) arrivals.push(arrival)
    else calls.set(callName(arrival), [arrival])
  }
  return calls
}
