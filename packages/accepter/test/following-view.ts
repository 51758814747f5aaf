import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  Directive,
  Invocation,
  InvocationCounts,
  InvocationPage,
  InvocationQuery,
  KeptResponse,
  KnownClaim,
  SchedulePage,
  ScheduleQuery,
  ShownSchedule,
  WaitingTurn,
} from '@posthaste/core'
import { Environment, InvocationView } from '@posthaste/storage'
import { Bell, LOG_NAMES, type LogName, type Stream } from '@posthaste/stream'
import type { ViewDoor } from '../src/index.js'

const KEPT = { ageMs: 2 ** 40, bytes: 2 ** 40, claimAgeMs: 2 ** 40 }

/** A view that follows a stream, as each process has one; a test may have it pause. */
export class FollowingView implements ViewDoor {
  /** Logs that are not read for now. */
  readonly held = new Set<LogName>()
  /** By how much more it says that it is behind. */
  lagMs = 0
  /** Ids of invocations that were there once. */
  readonly forgotten = new Set<string>()
  readonly #directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  readonly #environment = new Environment({ directory: this.#directory, reserveBytes: 0 })
  readonly #view = new InvocationView({ environment: this.#environment, retention: KEPT })
  readonly #asOfMs = new Map<LogName, number>()
  readonly #changed = new Bell()
  readonly #end = new AbortController()
  readonly #following: Promise<unknown>
  #stopped: Promise<void> | undefined
  #waits = 0

  constructor(stream: Stream) {
    this.#following = Promise.all(LOG_NAMES.map((log) => this.#follow(stream, log)))
  }

  /** Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#end.abort()
    await this.#following
    await this.#environment.close()
    rmSync(this.#directory, { recursive: true })
  }

  /** How many wait for a change now. */
  get waits(): number {
    return this.#waits
  }

  /** Reads them again, those that were held. */
  release(): void {
    this.held.clear()
    this.#changed.ring()
  }

  get(id: string, tenant?: string): Invocation | undefined {
    return this.#view.get(id, tenant)
  }

  response(id: string): KeptResponse | undefined {
    return this.#view.response(id)
  }

  waiting(id: string): WaitingTurn | undefined {
    return this.#view.waiting(id)
  }

  deadLetter(id: string) {
    return this.#view.deadLetter(id)
  }

  directive(id: string): Directive | undefined {
    return this.#view.directive(id)
  }

  claim(key: string): KnownClaim | undefined {
    const claim = this.#view.claim(key)
    return claim && { ...claim, isForgotten: this.forgotten.has(claim.id) }
  }

  list(query: InvocationQuery): InvocationPage {
    return this.#view.list(query)
  }

  schedule(id: string, tenant?: string): ShownSchedule | undefined {
    return this.#view.schedule(id, tenant)
  }

  schedules(query: ScheduleQuery): SchedulePage {
    return this.#view.schedules(query)
  }

  counts(): InvocationCounts {
    return this.#view.counts()
  }

  oldestWaitingAtMs(): number | undefined {
    return this.#view.oldestWaitingAtMs()
  }

  openOf(tenant: string): number {
    return this.#view.openOf(tenant)
  }

  directivesOf(tenant: string): { readonly own: number; readonly others: number } {
    return this.#view.directivesOf(tenant)
  }

  asOfMs(): number {
    return Math.min(...LOG_NAMES.map((log) => this.#asOfMs.get(log) ?? Number.NEGATIVE_INFINITY)) - this.lagMs
  }

  async until<T>(ask: () => T | undefined, timeoutMs: number, signal?: AbortSignal): Promise<T | undefined> {
    const untilMs = performance.now() + timeoutMs
    this.#waits += 1
    try {
      for (;;) {
        const found = ask()
        const leftMs = untilMs - performance.now()
        if (found !== undefined || leftMs <= 0 || signal?.aborted) return found
        await this.#changed.wait(leftMs, signal)
      }
    } finally {
      this.#waits -= 1
    }
  }

  async #follow(stream: Stream, log: LogName): Promise<void> {
    const { signal } = this.#end
    let from: string | undefined
    for await (const { asOfMs, position, records } of stream.follow(log, 'start', { beats: true, signal })) {
      while (this.held.has(log) && !signal.aborted) await this.#changed.wait(60_000, signal)
      if (records.length > 0) await this.#view.apply([{ log, from, to: position, records }])
      if (records.length > 0) from = position
      if (asOfMs !== undefined) this.#asOfMs.set(log, asOfMs)
      this.#changed.ring()
    }
  }
}
