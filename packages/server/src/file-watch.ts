import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Files that are mounted change in ways of which the system tells nothing: they are read again. */
const LOOK_MS = 2_000

/** Tells what a file says, or that it cannot be read: first when it is started, and whenever that has changed. */
export class FileWatch {
  readonly #path: string
  readonly #changed: () => void
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(path: string, changed: () => void) {
    this.#path = path
    this.#changed = changed
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    // Who watches may have read it long ago.
    let known: string | undefined
    while (!signal.aborted) {
      const found = await this.#read()
      if (found !== known && !signal.aborted) this.#changed()
      known = found
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  /** What it says, or why it cannot be read. */
  #read(): Promise<string> {
    return readFile(this.#path, 'utf8').catch(({ code }: NodeJS.ErrnoException) => `${code}`)
  }
}
