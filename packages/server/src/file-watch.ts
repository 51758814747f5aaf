import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Files that are mounted change in ways of which the system tells nothing: they are read again. */
const LOOK_MS = 2_000
/** Whoever writes a file in place may be at it: half of it can be read as well, and says something else. */
const STILL_MS = 250

/** Tells what files say, or that they cannot be read: first when it is started, and whenever that has changed. */
export class FileWatch {
  readonly #files: () => Iterable<string>
  readonly #changed: () => void
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  /** `files` may be others each time. */
  constructor(files: () => Iterable<string>, changed: () => void) {
    this.#files = files
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
    // Who watches may have read them long ago.
    let known: string | undefined
    let seen: string | undefined
    while (!signal.aborted) {
      const found = await this.#read()
      const isStill = found === seen
      if (isStill && found !== known && !signal.aborted) {
        known = found
        this.#changed()
      }
      seen = found
      await sleep(isStill ? LOOK_MS : STILL_MS, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  /** What they say, or why they cannot be read. */
  async #read(): Promise<string> {
    const texts = [...this.#files()].map((file) =>
      readFile(file, 'utf8').catch(({ code }: NodeJS.ErrnoException) => `${code}`),
    )
    return JSON.stringify(await Promise.all(texts))
  }
}
