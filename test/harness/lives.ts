import { setTimeout as sleep } from 'node:timers/promises'
import type { JournalEntry } from '@posthaste/core'
import type { Position } from '@posthaste/stream'
import { type Installation, withStream } from './installation.js'
import { isFinal, readJournalFrom } from './journal.js'
import { callName, recordedCall } from './ledger.js'
import type { Arrival, TargetServer } from './target-server.js'

/** What a listener left behind when it was killed. */
export interface Death {
  /** Calls that it had made and not recorded: these, and no others, may be made again. */
  readonly inFlight: number
  /** Those of them that the target had not answered. */
  readonly running: number
  /** Calls that it had recorded so shortly before that its checkpoint may not say so: these may be made again too. */
  readonly uncommitted: number
  /** The longest time between an answer of the target and the kill without a record of it. */
  readonly unrecordedMs: number
}

const QUIET_LOOK_MS = 10

/**
 * Tells from outside which calls of a listener that is killed again and again may be repeated. The target's arrivals
 * fall into lives, one for each listener process. Between two lives nothing runs, and the journal says exactly what the
 * dead one had committed: a call that it made and that is not in the journal was in flight.
 */
export class Lives {
  readonly deaths: Death[] = []
  /** What breaks a rule, in words. */
  readonly faults: string[] = []
  /** Calls that were made again. */
  repeats = 0
  readonly journal: JournalEntry[] = []
  readonly #installation: Installation
  readonly #target: TargetServer
  readonly #uncommittedMs: number
  /** Calls that the journal records, and how long before the end of that life. */
  readonly #recorded = new Map<string, number>()
  readonly #called = new Set<string>()
  #position: Position | 'start' = 'start'
  #arrivals = 0

  /** What was recorded less than `uncommittedMs` before a kill may be called again; nothing if left out. */
  constructor(installation: Installation, target: TargetServer, uncommittedMs = Number.NEGATIVE_INFINITY) {
    this.#installation = installation
    this.#target = target
    this.#uncommittedMs = uncommittedMs
  }

  /** Invocations, forwards left out, that had ended when the last life did. */
  get finals(): number {
    return this.journal.filter((entry) => isFinal(entry) && entry.parent === undefined).length
  }

  /** Ends a life. Nothing of its process may be left, and no other listener run yet. */
  async end(killedAtMs: number): Promise<void> {
    // What it sent last may still be on its way through the loopback.
    do await sleep(QUIET_LOOK_MS)
    while (this.#target.connections > 0)
    const calls = this.#target.arrivals.slice(this.#arrivals)
    this.#arrivals += calls.length
    this.#countRepeats(calls)
    const recorded = await this.#readRecorded(killedAtMs)
    const inFlight = calls.filter((call) => !this.#recorded.has(callName(call)))
    const answered = inFlight.filter((call) => call.answered && (call.endedAtMs as number) <= killedAtMs)
    this.deaths.push({
      inFlight: inFlight.length,
      running: inFlight.length - answered.length,
      uncommitted: recorded.filter((entry) => killedAtMs - entry.atMs <= this.#uncommittedMs).length,
      unrecordedMs: Math.max(0, ...answered.map(({ endedAtMs }) => killedAtMs - (endedAtMs as number))),
    })
  }

  /** `#recorded` says what was committed when this life began. */
  #countRepeats(calls: readonly Arrival[]): void {
    const inThisLife = new Set<string>()
    for (const call of calls) {
      const name = callName(call)
      if (inThisLife.has(name)) this.faults.push(`${name} (${call.path}) was called twice by one process`)
      const beforeMs = this.#recorded.get(name)
      if (beforeMs !== undefined && beforeMs > this.#uncommittedMs)
        this.faults.push(`${name} (${call.path}) was called again; it was recorded ${beforeMs} ms before a kill`)
      if (this.#called.has(name)) this.repeats += 1
      inThisLife.add(name)
      this.#called.add(name)
    }
  }

  /** Returns what was recorded in this life. */
  async #readRecorded(killedAtMs: number): Promise<JournalEntry[]> {
    const known = this.journal.length
    this.#position = await withStream(this.#installation, (stream) =>
      readJournalFrom(stream, this.#position, this.journal),
    )
    const recorded = this.journal.slice(known)
    for (const entry of recorded) this.#recorded.set(recordedCall(entry), killedAtMs - entry.atMs)
    return recorded
  }
}
