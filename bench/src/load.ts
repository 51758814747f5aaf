import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Spread } from './spread.js'

/** What to send, and how. */
export interface Load {
  readonly url: string
  readonly connections: number
  readonly count: number
  /** As fast as the connections allow if left out. */
  readonly perSecond?: number
  /** Size of the body to deliver, in bytes. */
  readonly bodyBytes: number
  /** Called in turn. */
  readonly targets: readonly string[]
  /** What else each instruction says. */
  readonly fields?: Readonly<Record<string, unknown>>
  /** Shown with each request. */
  readonly token?: string
  /** Bodies are numbered from here. */
  readonly firstSequence: number
}

export interface LoadResult {
  readonly accepted: number
  /** Answers other than 202, by status. */
  readonly refused: Readonly<Record<string, number>>
  readonly startedUs: number
  readonly endedUs: number
  /** From request to answer. */
  readonly latencyMs: Spread
}

/** Puts a load on, from a process of its own, and resolves when every request is answered. */
export async function putLoad(load: Load): Promise<LoadResult> {
  const child = fork(new URL('./load-process.js', import.meta.url))
  try {
    child.send(load)
    const [result] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [LoadResult | number]
    if (typeof result !== 'object' || result === null) throw new Error('The load generator ended.')
    return result
  } finally {
    child.disconnect()
  }
}
