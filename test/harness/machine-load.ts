import { readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** CPUs that others may keep busy on a machine that counts as idle. */
const OTHERS_MAX = 0.25
/** The same where a broker that is not ours to look at does its part of the work. */
export const OTHERS_WITH_BROKER_MAX = 0.75
/** How long this process may have been kept from running, at the 99th percentile, on a machine that counts as idle. */
const LOOP_DELAY_MS_MAX = 20
/** Linux counts the CPU time of processes in hundredths of a second. */
const TICK_MS = 10
const LOOP_RESOLUTION_MS = 5

export interface MachineLoad {
  /** CPUs kept busy by processes that are not ours. */
  readonly others: number
  /** By how much this process's event loop was late, in milliseconds, at the 99th percentile. */
  readonly loopDelayMs: number
  /** Over the last minute, ours included. */
  readonly loadAverage: number
  /** Whether the CPUs were ours, so that what was measured says something about Posthaste and not about neighbours. */
  readonly alone: boolean
  /** Whether this process, besides, ran whenever it wanted to. Only for tests that leave their event loop free. */
  readonly idle: boolean
}

/** Measures what else went on on the machine, from its making until `end`. */
export class LoadMeter {
  readonly #othersMax: number
  readonly #startedMs = performance.now()
  readonly #busyMs = busyMs()
  readonly #ownMs = ownMs()
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
  /** CPU time of the processes that are ours, by their id, when they were added. */
  readonly #ours = new Map<number, { fromMs: number; lastMs: number }>()

  constructor(othersMax = OTHERS_MAX) {
    this.#othersMax = othersMax
    this.#loop.enable()
  }

  /** Counts the CPU time of a process as ours from now on: add it right when it starts, or it counts as another's. */
  add(pid: number): void {
    const fromMs = processMs(pid) ?? 0
    this.#ours.set(pid, { fromMs, lastMs: fromMs })
  }

  /** Reads the CPU time that one of ours has used since it was added and returns it. To be called before it ends. */
  look(pid: number): number {
    const times = this.#ours.get(pid)
    if (!times) throw new Error(`Process ${pid} was not added.`)
    times.lastMs = processMs(pid) ?? times.lastMs
    return times.lastMs - times.fromMs
  }

  end(): MachineLoad {
    for (const pid of this.#ours.keys()) this.look(pid)
    this.#loop.disable()
    let oursMs = ownMs() - this.#ownMs
    for (const { fromMs, lastMs } of this.#ours.values()) oursMs += lastMs - fromMs
    const others = Math.max(0, (busyMs() - this.#busyMs - oursMs) / (performance.now() - this.#startedMs))
    const loopDelayMs = this.#loop.percentile(99) / 1e6 - LOOP_RESOLUTION_MS
    return {
      others: round(others),
      loopDelayMs: round(loopDelayMs),
      loadAverage: round(loadavg()[0] as number),
      alone: others <= this.#othersMax,
      idle: others <= this.#othersMax && loopDelayMs <= LOOP_DELAY_MS_MAX,
    }
  }
}

/** The value below which `share` of `values` lie; 0 of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function busyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, stolenMs())
}

/** What a virtual machine's host gave to others; 0 where there is no /proc. */
function stolenMs(): number {
  try {
    // proc_stat(5): the first line is the sum of all CPUs, its eighth number the time stolen.
    return Number(readFileSync('/proc/stat', 'utf8').split(/\s+/, 9)[8]) * TICK_MS
  } catch {
    return 0
  }
}

function ownMs(): number {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1_000
}

/** CPU time that a process has used; undefined if it is gone, or where there is no /proc. */
function processMs(pid: number): number | undefined {
  try {
    // proc(5): the name of the program, in parentheses, may hold blanks; utime and stime are fields 14 and 15.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return undefined
  }
}

const round = (value: number): number => Math.round(value * 100) / 100
