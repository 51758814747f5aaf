import { isDeepStrictEqual } from 'node:util'
import { type Log, PosthasteError } from '@posthaste/core'
import { FileWatch } from './file-watch.js'

export interface FollowedFileOptions<T> {
  /** What it says there is: `functions`. */
  readonly what: string
  readonly path: string
  /** What it said at the start. */
  readonly value: T
  readonly log: Log
  /** Says what it says now, and in which files there are secrets of it. @throws PosthasteError */
  read(onSecretFile: (file: string) => void): T
  /** Learns what it says, once that is something else. */
  onChange(value: T): void
}

/** A file of the configuration that may change: all of a change holds, or nothing of one that cannot be read. */
export class FollowedFile<T> {
  readonly #options: FollowedFileOptions<T>
  readonly #watch: FileWatch
  #secretFiles: ReadonlySet<string> = new Set()
  #value: T
  /** What is wrong with it as it is now. */
  #fault: string | undefined

  constructor(options: FollowedFileOptions<T>) {
    this.#options = options
    this.#value = options.value
    this.#watch = new FileWatch(
      () => [options.path, ...this.#secretFiles],
      () => this.#readAgain(),
    )
  }

  /** What it says, or said when it could be read. */
  get value(): T {
    return this.#value
  }

  /** Whether it cannot be read as it is now. */
  get isBad(): boolean {
    return this.#fault !== undefined
  }

  /** Begins to look whether it has changed. */
  start(): void {
    this.#watch.start()
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#watch.stop()
  }

  #readAgain(): void {
    const { log, path, read, what } = this.#options
    const secretFiles = new Set<string>()
    this.#secretFiles = secretFiles
    try {
      this.#replace(read((file) => secretFiles.add(file)))
    } catch (error) {
      if (!(error instanceof PosthasteError)) throw error
      const { message: reason } = error
      if (reason === this.#fault) return
      this.#fault = reason
      log.error({ path, reason }, `the ${what} have changed, but cannot be read: those from before hold on`)
    }
  }

  #replace(value: T): void {
    if (!this.isBad && isDeepStrictEqual(value, this.#value)) return
    this.#fault = undefined
    this.#value = value
    this.#options.onChange(value)
  }
}
