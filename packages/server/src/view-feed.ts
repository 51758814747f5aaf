import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@posthaste/core'
import type { InvocationView } from '@posthaste/storage'
import { Bell, type Followed, LOG_NAMES, type LogName, type Stream } from '@posthaste/stream'

/** An invocation that comes and ends within this time is written once. */
const GATHER_MS = 250
/** What waits to be written: with more it is written at once, and nothing more is read. */
const HELD_BYTES_MAX = 4 * 1024 * 1024
/** What a record takes in memory beside its value. */
const RECORD_BYTES = 256
const RETAIN_EVERY_MS = 1_000
const RETRY_MS = 500
/** So often it is told that something still does not succeed. */
const WARN_EVERY_MS = 60_000

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
  /** Up to where each log stands in the view, as far as this wrote it. */
  readonly #positions = new Map<LogName, string | undefined>()
  #asOfMs = Number.NEGATIVE_INFINITY
  #held: Change[] = []
  #heldBytes = 0
  #isWatched = false
  /** When it was told last of each trouble. */
  readonly #warnedMs = new Map<string, number>()

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
    await this.#insist('the view cannot be opened now', () => this.#options.view.prepare(), signal)
    const retaining = this.#retain(signal)
    while (!signal.aborted) await this.#insist('the view cannot be read now', () => this.#feed(signal), signal)
    await retaining
  }

  /** Follows all logs from where the view stands, until another has moved it on, or `signal`. */
  async #feed(signal: AbortSignal): Promise<void> {
    const overtaken = new AbortController()
    const ended = AbortSignal.any([signal, overtaken.signal])
    this.#held = []
    this.#heldBytes = 0
    this.#readMs.clear()
    for (const log of LOG_NAMES) this.#positions.set(log, this.#options.view.position(log))
    const following = Promise.all(LOG_NAMES.map((log) => this.#follow(log, ended)))
    while (!ended.aborted) {
      if (!this.#isUrgent) await this.#urgent.wait(GATHER_MS, ended)
      if (!(await this.#write(signal))) overtaken.abort()
    }
    await following
  }

  async #follow(log: LogName, signal: AbortSignal): Promise<void> {
    let from = this.#positions.get(log)
    const follow = async (): Promise<void> => {
      const { stream } = this.#options
      for await (const followed of stream.follow(log, from ?? 'start', { signal, beats: true })) {
        from = await this.#take(log, from, followed, signal)
      }
    }
    await this.#insist(`the view cannot follow the ${log} now`, follow, signal)
  }

  async #take(log: LogName, from: string | undefined, followed: Followed, signal: AbortSignal): Promise<string> {
    const { asOfMs, hasGap, position, records } = followed
    if (asOfMs !== undefined) this.#readMs.set(log, asOfMs)
    const missed = hasGap && log === 'journal' ? this.#missed() : {}
    if (records.length > 0) this.#held.push({ log, from, to: position, records, ...missed })
    for (const { value } of records) this.#heldBytes += value.length + RECORD_BYTES
    if (this.#isUrgent) this.#urgent.ring()
    while (this.#heldBytes > HELD_BYTES_MAX && !signal.aborted) await this.#written.wait(GATHER_MS, signal)
    return position
  }

  #missed(): Pick<Change, 'missedUntilMs'> {
    this.#options.log.warn(
      {},
      'the view was away for longer than the journal is kept: it forgets what may have ended since',
    )
    return { missedUntilMs: Date.now() }
  }

  get #isUrgent(): boolean {
    return this.#isWatched ? this.#held.length > 0 || this.#readUpToMs > this.#asOfMs : this.#heldBytes > HELD_BYTES_MAX
  }

  /** Up to when all logs are read, written or not. */
  get #readUpToMs(): number {
    return Math.min(...LOG_NAMES.map((log) => this.#readMs.get(log) ?? Number.NEGATIVE_INFINITY))
  }

  /** Whether what was read could be written, however long that took; not if another was first, or after `signal`. */
  async #write(signal: AbortSignal): Promise<boolean> {
    const changes = this.#held
    const readUpToMs = this.#readUpToMs
    this.#held = []
    this.#heldBytes = 0
    this.#written.ring()
    const isFirst = await this.#insist('the view cannot be written now', () => this.#apply(changes), signal)
    this.#asOfMs = isFirst ? readUpToMs : Number.NEGATIVE_INFINITY
    this.#options.onProgress()
    return isFirst === true
  }

  async #apply(changes: readonly Change[]): Promise<boolean> {
    const { view } = this.#options
    if (changes.length > 0 && (await view.apply(changes)) === 'behind') return false
    for (const { log, to } of changes) this.#positions.set(log, to)
    // It stands elsewhere if another has emptied it, or if what was missed makes it read a log again.
    return LOG_NAMES.every((log) => view.position(log) === this.#positions.get(log))
  }

  async #retain(signal: AbortSignal): Promise<void> {
    const { view } = this.#options
    const retain = async (): Promise<void> => {
      while (!signal.aborted && (await view.applyRetention(Date.now())) > 0);
    }
    while (!signal.aborted) {
      await this.#insist('old invocations cannot be removed from the view now', retain, signal)
      await pause(RETAIN_EVERY_MS, signal)
    }
  }

  /** Does something until it succeeds, or `signal`. */
  async #insist<T>(trouble: string, act: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    for (; !signal.aborted; await pause(RETRY_MS, signal)) {
      try {
        return await act()
      } catch (error) {
        if (!signal.aborted) this.#warn(error, trouble)
      }
    }
    return undefined
  }

  #warn(error: unknown, trouble: string): void {
    const nowMs = performance.now()
    if (nowMs - (this.#warnedMs.get(trouble) ?? Number.NEGATIVE_INFINITY) < WARN_EVERY_MS) return
    this.#warnedMs.set(trouble, nowMs)
    this.#options.log.warn({ err: error }, trouble)
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => undefined)
}
