import { readFileSync } from 'node:fs'

/** Linux counts the CPU time of processes in hundredths of a second. */
const TICK_S = 0.01
const LOOK_MS = 100

/** CPU time that a process has used, all its threads together, in seconds. */
export function cpuSeconds(pid: number): number {
  // proc(5): the name of the program, in parentheses, may hold blanks; utime and stime are fields 14 and 15.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_S
}

/** Anonymous memory of a process, in MiB: what maps of files take does not count. */
export function anonymousMiB(pid: number): number {
  const found = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1]) / 1024
}

/** Watches what a process uses, from its making until `end`. */
export class ProcessWatch {
  readonly #pid: number
  readonly #cpuS: number
  readonly #looks: number[] = []
  readonly #timer: NodeJS.Timeout

  constructor(pid: number) {
    this.#pid = pid
    this.#cpuS = cpuSeconds(pid)
    this.#timer = setInterval(() => this.#looks.push(anonymousMiB(pid)), LOOK_MS)
  }

  end(): { readonly cpuS: number; readonly memoryMiB: readonly number[] } {
    clearInterval(this.#timer)
    this.#looks.push(anonymousMiB(this.#pid))
    return { cpuS: cpuSeconds(this.#pid) - this.#cpuS, memoryMiB: this.#looks }
  }
}
