import { setImmediate } from 'node:timers/promises'
import type { Clock, Log } from '@posthaste/core'
import type { Consumer, Progress } from '@posthaste/stream'
import type { BreakerState } from './breaker.js'
import type { Dispatcher } from './dispatcher.js'
import type { Tally } from './tally.js'

/** What starts a cycle. */
export type Trigger = 'schedule' | 'ping' | 'command'

/** What became of a cycle so far. */
export interface CycleReport extends Readonly<Tally> {
  /** Counts up from 1 in a process; 0 before the first. */
  readonly cycle: number
  readonly trigger: Trigger | 'none'
  readonly running: boolean
  readonly startedAt: string | null
  readonly endedAt: string | null
  /** Why nothing is pulled: what is wrong, or that another listener is at work. Otherwise null. */
  readonly blocked: string | null
  /** Of targets that are not called but for probes: the first hundred. */
  readonly breakers: readonly ReportedBreaker[]
  readonly partitions: readonly Progress[]
}

export interface ReportedBreaker {
  readonly target: string
  readonly state: BreakerState
  /** Since when its calls fail. */
  readonly since: string
}

export interface CyclesOptions {
  readonly consumer: Consumer
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly log: Log
  readonly lingerMs: number
  readonly batchRecords: number
}

/** How long to wait for room, or for the last calls, before looking again. */
const LOOK_MS = 50
const AFTER_FAILURE_MS = 500
/** Between two looks at the progress, in times of what one takes. */
const PROGRESS_REST = 4
const BREAKERS_MAX = 100

/**
 * The listener's cycles, one at a time: a trigger wakes it, it drains the stream, then lingers for more; a trigger during
 * a cycle extends it.
 */
export class Cycles {
  readonly #options: CyclesOptions
  #current: Promise<void> | undefined
  #lingerUntilMs = 0
  #cycle = 0
  #trigger: Trigger | 'none' = 'none'
  #startedAt: string | null = null
  #endedAt: string | null = null
  #pullsBegun = 0
  #pullsEnded = 0
  #wake = new AbortController()
  /** The next pull is to tell at once whether there is anything. */
  #lookNow = false
  /** Pings that wait for the stream to be drained. */
  #pings = 0
  #failure: string | undefined
  #stopping = false

  constructor(options: CyclesOptions) {
    this.#options = options
  }

  /** Starts a cycle, or extends the one that runs. */
  trigger(by: Trigger): void {
    if (this.#stopping) return
    this.#lingerUntilMs = performance.now() + this.#options.lingerMs
    this.#current ??= this.#run(by)
  }

  /**
   * Triggers, and resolves once what is on the stream now is completed, or after `waitMs`. Lingering goes on behind it.
   */
  async ping(by: Trigger, waitMs: number): Promise<CycleReport & { readonly drained: boolean }> {
    const untilMs = performance.now() + waitMs
    this.trigger(by)
    this.#pings += 1
    const drained = await this.#drained(untilMs).finally(() => {
      this.#pings -= 1
    })
    return { drained, ...(await this.report()) }
  }

  async report(): Promise<CycleReport> {
    const partitions = await this.#options.consumer.progress()
    return {
      cycle: this.#cycle,
      trigger: this.#trigger,
      running: this.#current !== undefined,
      startedAt: this.#startedAt,
      endedAt: this.#endedAt,
      blocked: this.blocked ?? standingBy(partitions) ?? null,
      ...this.#options.dispatcher.tally,
      breakers: this.#breakers,
      partitions,
    }
  }

  get #breakers(): readonly ReportedBreaker[] {
    const { clock, dispatcher } = this.#options
    const nowMs = clock.now()
    return dispatcher.openBreakers.slice(0, BREAKERS_MAX).map(({ origin, outageMs, state }) => {
      return { target: origin, state, since: new Date(nowMs - outageMs).toISOString() }
    })
  }

  /** Why nothing is pulled; undefined while all is well. */
  get blocked(): string | undefined {
    return this.#options.dispatcher.blocked ?? this.#failure
  }

  /** Starts no more cycles and resolves when the last pull has ended. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#wake.abort()
    await this.#current
  }

  async #run(by: Trigger): Promise<void> {
    const { dispatcher, clock, log } = this.#options
    this.#cycle += 1
    this.#trigger = by
    this.#startedAt = new Date(clock.now()).toISOString()
    this.#endedAt = null
    dispatcher.resetTally()
    do {
      try {
        await this.#step()
        this.#failure = undefined
      } catch (error) {
        this.#failure = 'The stream cannot be read.'
        log.error({ err: error }, 'the stream cannot be read; trying again')
        await dispatcher.change(AFTER_FAILURE_MS)
      }
    } while (!this.#stopping && (this.#isWanted || !dispatcher.isIdle))
    this.#endedAt = new Date(clock.now()).toISOString()
    // Here and not when the promise settles: a trigger that comes in between would be lost.
    this.#current = undefined
  }

  /** Whether somebody waits for what the stream has: it may take a broker a while to give it. */
  get #isWanted(): boolean {
    return this.#lookNow || this.#pings > 0 || performance.now() < this.#lingerUntilMs
  }

  /** One pull, or a short wait where there is no room for one. */
  async #step(): Promise<void> {
    const { consumer, dispatcher, batchRecords } = this.#options
    const { records, bytes } = dispatcher.room
    if (records === 0 || bytes === 0 || dispatcher.blocked) {
      await dispatcher.change(LOOK_MS)
      return
    }
    const waitMs = this.#lookNow ? 0 : Math.max(LOOK_MS, this.#lingerUntilMs - performance.now())
    this.#lookNow = false
    if (this.#wake.signal.aborted) this.#wake = new AbortController()
    this.#pullsBegun += 1
    const deliveries = await consumer.pull({
      recordsMax: Math.min(batchRecords, records),
      bytesMax: bytes,
      waitMs,
      signal: this.#wake.signal,
    })
    this.#pullsEnded = this.#pullsBegun
    if (this.#stopping) return
    dispatcher.take(deliveries)
    // What is read ahead comes without a wait: answers and commits must have their turn between two pulls.
    await setImmediate()
  }

  /** Whether everything that stood on the stream, or was due, at the time of asking is completed by `untilMs`. */
  async #drained(untilMs: number): Promise<boolean> {
    const { consumer, dispatcher } = this.#options
    // A pull that began after now has moved what is due to the stream, or begun to.
    const pull = this.#pullsBegun + 1
    this.#lookNow = true
    this.#wake.abort()
    let ends: readonly Progress[] | undefined
    let lookMs = 0
    for (;;) {
      if (this.#pullsEnded >= pull && performance.now() >= lookMs) {
        const startedMs = performance.now()
        const progress = await consumer.progress()
        // A broker is asked for it: not more often than it answers with ease.
        lookMs = performance.now() + PROGRESS_REST * (performance.now() - startedMs)
        if (!ends && !progress.some(({ overdue }) => overdue)) ends = progress
        if (ends?.every(({ partition, end }) => isPast(progress, partition, end)) && dispatcher.isSettled) return true
      }
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0 || this.#stopping || this.blocked !== undefined) return false
      await dispatcher.change(Math.min(leftMs, 2))
    }
  }
}

/** Whether a partition is completed up to `end`, or is another member's to complete while this one has its own. */
function isPast(progress: readonly Progress[], partition: number, end: number): boolean {
  const now = progress.find((one) => one.partition === partition)
  return now === undefined || now.committed >= end || (now.owner === 'other' && !standsBy(progress))
}

/** Whether this member has nothing to do: all is another's. */
function standsBy(progress: readonly Progress[]): boolean {
  return progress.length > 0 && progress.every(({ owner }) => owner === 'other')
}

function standingBy(progress: readonly Progress[]): string | undefined {
  return standsBy(progress) ? `Another listener is at work: ${progress[0]?.member}.` : undefined
}
