import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogLine, PosthasteProcess } from './posthaste-process.js'
import { temporaryDirectory } from './temporary-directory.js'

const LOOK_MS = 20
/** Processes look every two seconds. */
const RELOAD_MS_MAX = 60_000
export const CHANGED = 'the functions have changed'
export const UNREADABLE = 'the functions have changed, but cannot be read: those from before hold on'

/** The file of functions of an installation, which a test changes while its processes run. */
export class FunctionsFile {
  readonly path: string

  constructor(t: { after(work: () => void): unknown }, text: string) {
    this.path = join(temporaryDirectory(t), 'functions.yaml')
    this.write(text)
  }

  /** In one step, as files that are mounted change. */
  write(text: string): void {
    writeFileSync(`${this.path}.new`, text)
    renameSync(`${this.path}.new`, this.path)
  }

  /** Writes it, and resolves with what each process says of that. */
  async change(text: string, processes: readonly PosthasteProcess[], message = CHANGED): Promise<LogLine[]> {
    const said = (one: PosthasteProcess): LogLine[] => one.lines.filter(({ msg }) => msg === message)
    const before = processes.map((one) => said(one).length)
    this.write(text)
    const untilMs = performance.now() + RELOAD_MS_MAX
    while (!processes.every((one, index) => said(one).length > (before[index] as number))) {
      if (performance.now() > untilMs) throw new Error(`No process said "${message}".`)
      await sleep(LOOK_MS)
    }
    return processes.map((one) => said(one).at(-1) as LogLine)
  }
}
