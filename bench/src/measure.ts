import { type Load, putLoad } from './load.js'
import { ProcessWatch } from './process-watch.js'
import type { System } from './system.js'
import type { Target } from './target.js'

/** What a system did under a load, until the last call. */
export interface Measured {
  readonly acceptedPerS: number
  /** From request to answer, in milliseconds. */
  readonly acceptP50: number
  readonly acceptP99: number
  /** From the first request to the last call at the target. */
  readonly completedPerS: number
  /** From request to call, in milliseconds. */
  readonly callP50: number
  readonly callP99: number
  /** CPU seconds of the system for 10,000 invocations, until all is recorded. */
  readonly cpuS: number
  /** Anonymous memory, at the most and at the end. */
  readonly memoryMaxMiB: number
  readonly memoryMiB: number
}

/** How much of a load goes ahead of it, for the code to become warm. */
const WARM_SHARE = 0.2

export interface Work extends Omit<Load, 'url' | 'targets' | 'firstSequence'> {
  /** How long the target takes to answer; 0 if left out. */
  readonly delayMs?: number
}

export async function warmUp(system: System, target: Target, load: Work): Promise<void> {
  const count = Math.ceil(load.count * WARM_SHARE)
  await measure(system, target, { ...load, count })
}

/** Puts a load on and waits for its last call. @throws Error if anything is refused, called twice or not called */
export async function measure(system: System, target: Target, work: Work): Promise<Measured> {
  const { delayMs = 0, ...load } = work
  await target.reset(delayMs)
  const watch = new ProcessWatch(system.pid)
  const sent = await putLoad({ ...load, url: system.url, targets: target.urls, firstSequence: 0 })
  if (sent.accepted !== load.count) throw new Error(`Not all were accepted: ${JSON.stringify(sent.refused)}`)
  await target.until(load.count)
  await system.settle()
  const { cpuS, memoryMiB } = watch.end()
  const called = await target.report()
  if (called.repeats > 0) throw new Error(`${called.repeats} were called twice.`)
  const perS = (fromUs: number, toUs: number): number => (load.count * 1e6) / (toUs - fromUs)
  return {
    acceptedPerS: perS(sent.startedUs, sent.endedUs),
    acceptP50: sent.latencyMs.p50,
    acceptP99: sent.latencyMs.p99,
    completedPerS: perS(sent.startedUs, called.lastUs),
    callP50: called.latencyMs.p50,
    callP99: called.latencyMs.p99,
    cpuS: (cpuS * 10_000) / load.count,
    memoryMaxMiB: Math.max(...memoryMiB),
    memoryMiB: memoryMiB.at(-1) as number,
  }
}

/** The median of each figure. */
export function mediansOf(rounds: readonly Measured[]): Measured {
  const keys = Object.keys(rounds[0] as Measured) as (keyof Measured)[]
  const medianOf = (key: keyof Measured): number => {
    const sorted = rounds.map((round) => round[key]).sort((a, b) => a - b)
    return sorted[sorted.length >> 1] as number
  }
  return Object.fromEntries(keys.map((key) => [key, medianOf(key)])) as unknown as Measured
}
