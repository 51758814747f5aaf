import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@posthaste/core'
import type { InvocationView } from '@posthaste/storage'
import { Bell, type Followed, LOG_NAMES, type LogName, type Stream } from '@posthaste/stream'

/** An invocation that comes and ends within this time is written once. */
const GATHER_MS = 250
/** What waits to be written: with more it is written at once, and nothing more is read. */
const HELD_BYTES_MAX = 4 * 1024 * 1024
const RETAIN_EVERY_MS = 1_000
const RETRY_MS = 500

type Change = Parameters<InvocationView['apply']>[0][number]

export interface ViewFeedOptions {
  readonly stream: Pick<Stream, 'follow'>
  readonly view: InvocationView
  readonly log: Log
  /** Called when the view has changed, or is known to be complete up to a later time. */
  readonly onProgress: () => void
}

/**
 * Keeps a view up to date with the logs of a stream. Others may do the same to the same file: who comes second finds the
 * positions moved, and goes on from there.
 */
export class ViewFeed {
  readonly #options: ViewFeedOptions
  /** Rings when there is something to write at once. */
  readonly #urgent = new Bell()
  /** Rings when there is room for more. */
  readonly #written = new Bell()
  /** Up to when each log is read whole, by `performance.now`. */
  readonly #readMs = new Map<LogName, number>()
  #asOfMs = Number.NEGATIVE_INFINITY
  #held: Change[] = []
  #heldBytes = 0
  #isWatched = false

  constructor(options: ViewFeedOptions) {
    this.#options = options
  }

  /** Whether somebody waits for what comes: then it is written at once. */
  set isWatched(isWatched: boolean) {
    this.#isWatched = isWatched
    if (this.#isUrgent) this.#urgent.ring()
  }

  /** The view shows whatever stood in any log at this time, by `performance.now`; `-Infinity` if that is not known yet. */
  get asOfMs(): number {
    return this.#asOfMs
  }

  /** Goes on until `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    const retaining = this.#retain(signal)
    while (!signal.aborted) await this.#feed(signal)
    await retaining
  }

  /** Follows all logs from where the view stands, until another has moved it on, or `signal`. */
  async #feed(signal: AbortSignal): Promise<void> {
    const overtaken = new AbortController()
    const ended = AbortSignal.any([signal, overtaken.signal])
    this.#held = []
    this.#heldBytes = 0
    this.#readMs.clear()
    const following = Promise.all(LOG_NAMES.map((log) => this.#follow(log, ended)))
    while (!ended.aborted) {
      if (!this.#isUrgent) await this.#urgent.wait(GATHER_MS, ended)
      if (!(await this.#write())) overtaken.abort()
    }
    await following
  }

  async #follow(log: LogName, signal: AbortSignal): Promise<void> {
    const { stream, view } = this.#options
    let from = view.position(log)
    while (!signal.aborted) {
      try {
        for await (const followed of stream.follow(log, from ?? 'start', { signal, beats: true })) {
          from = await this.#take(log, from, followed, signal)
        }
      } catch (error) {
        if (!signal.aborted) this.#options.log.warn({ err: error, from: log }, 'the view cannot be kept up to date now')
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async #take(log: LogName, from: string | undefined, followed: Followed, signal: AbortSignal): Promise<string> {
    const { asOfMs, position, records } = followed
    if (asOfMs !== undefined) this.#readMs.set(log, asOfMs)
    if (records.length > 0) this.#held.push({ log, from, to: position, records })
    for (const { value } of records) this.#heldBytes += value.length
    if (this.#isUrgent) this.#urgent.ring()
    while (this.#heldBytes > HELD_BYTES_MAX && !signal.aborted) await this.#written.wait(GATHER_MS, signal)
    return position
  }

  get #isUrgent(): boolean {
    return this.#isWatched ? this.#held.length > 0 || this.#readUpToMs > this.#asOfMs : this.#heldBytes > HELD_BYTES_MAX
  }

  /** Up to when all logs are read, written or not. */
  get #readUpToMs(): number {
    return Math.min(...LOG_NAMES.map((log) => this.#readMs.get(log) ?? Number.NEGATIVE_INFINITY))
  }

  /** Whether what was read could be written; not if another was first. */
  async #write(): Promise<boolean> {
    const changes = this.#held
    const readUpToMs = this.#readUpToMs
    this.#held = []
    this.#heldBytes = 0
    this.#written.ring()
    try {
      if (changes.length > 0 && (await this.#options.view.apply(changes)) === 'behind') return false
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the view cannot be written now')
      await sleep(RETRY_MS)
      return false
    }
    this.#asOfMs = readUpToMs
    this.#options.onProgress()
    return true
  }

  async #retain(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        while (!signal.aborted && (await this.#options.view.applyRetention(Date.now())) > 0);
      } catch (error) {
        this.#options.log.warn({ err: error }, 'old invocations cannot be removed from the view now')
      }
      await sleep(RETAIN_EVERY_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}
