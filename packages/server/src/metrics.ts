import type { ErrorCode, FunctionMap, InvocationCounts } from '@posthaste/core'
import type { CountedAttempt, OpenBreaker } from '@posthaste/listener'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Targets that are told apart; what comes after so many counts as `other`. */
const ORIGINS_MAX = 100

/** Answers within milliseconds, and calls that take an hour. */
const ACCEPT_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const CALL_BUCKETS_S = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600]

/** Of those that count as `other`, the last state here that any has is shown. */
const BREAKER_STATES = { 'half-open': 1, open: 2 } as const

/** What a listener measures. In its own thread: each thread has a registry of its own. */
export class ListenerMetrics {
  readonly #registry = new Registry()
  readonly #origins = new Set<string>()
  readonly #attempts = new Counter({
    name: 'posthaste_attempts_total',
    help: 'Calls that were made, by the origin of their target and what came of them.',
    labelNames: ['origin', 'result'],
    registers: [this.#registry],
  })
  readonly #durations = new Histogram({
    name: 'posthaste_attempt_duration_seconds',
    help: 'How long calls took, from their start to the end of the response.',
    buckets: CALL_BUCKETS_S,
    registers: [this.#registry],
  })
  readonly #outcomes = new Counter({
    name: 'posthaste_outcomes_total',
    help: 'What invocations came to by calls that were made, by the origin of their target: retrying, or a final state.',
    labelNames: ['origin', 'state'],
    registers: [this.#registry],
  })

  count({ durationMs, origin: target, result, state }: CountedAttempt): void {
    const origin = this.#labelOf(target)
    this.#attempts.inc({ origin, result })
    this.#durations.observe(durationMs / 1_000)
    this.#outcomes.inc({ origin, state })
  }

  /** Adds the breakers that are not closed. */
  watchBreakers(openBreakers: () => readonly OpenBreaker[]): void {
    const labelOf = (origin: string): string => this.#labelOf(origin)
    new Gauge({
      name: 'posthaste_breaker_state',
      help: 'Breakers that are not closed: 1 half-open, 2 open.',
      labelNames: ['origin'],
      registers: [this.#registry],
      collect() {
        this.reset()
        const breakers = openBreakers()
        for (const [state, value] of Object.entries(BREAKER_STATES)) {
          for (const { origin } of breakers.filter((one) => one.state === state))
            this.set({ origin: labelOf(origin) }, value)
        }
      },
    })
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  /** Labels of clients' making must not grow without end. */
  #labelOf(origin: string): string {
    if (this.#origins.has(origin)) return origin
    if (this.#origins.size >= ORIGINS_MAX) return 'other'
    this.#origins.add(origin)
    return origin
  }
}

/** What of a view is measured. */
interface WatchedView {
  asOfMs(): number
  counts(): InvocationCounts
}

/** What of functions is measured. */
interface WatchedFunctions {
  now(): FunctionMap
  readonly isStale: boolean
}

/** What a process with an accepter measures, and what its view shows. */
export class ServerMetrics {
  readonly #registry = new Registry()
  readonly #accepting = new Histogram({
    name: 'posthaste_accept_duration_seconds',
    help: 'How long accepting took, from the request to its answer.',
    buckets: ACCEPT_BUCKETS_S,
    registers: [this.#registry],
  })

  readonly #accepted = new Counter({
    name: 'posthaste_accepted_total',
    help: 'Instructions that were accepted.',
    registers: [this.#registry],
  })

  readonly #refused = new Counter({
    name: 'posthaste_refused_total',
    help: 'Requests, and instructions of batches, that were answered with an error, by its code.',
    labelNames: ['code'],
    registers: [this.#registry],
  })

  constructor() {
    collectDefaultMetrics({ register: this.#registry })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** `count` instructions were accepted at once. */
  accepted(durationMs: number, count: number): void {
    this.#accepting.observe(durationMs / 1_000)
    this.#accepted.inc(count)
  }

  refused(code: ErrorCode): void {
    this.#refused.inc({ code })
  }

  watchFunctions(functions: WatchedFunctions): void {
    const registers = [this.#registry]
    new Gauge({
      name: 'posthaste_functions',
      help: 'Named functions that can be called.',
      registers,
      collect() {
        this.set(functions.now().size)
      },
    })
    new Gauge({
      name: 'posthaste_functions_stale',
      help: '1 while the file of functions cannot be read, so that those of before hold on; else 0.',
      registers,
      collect() {
        this.set(functions.isStale ? 1 : 0)
      },
    })
  }

  /** Adds what a view shows. Every process with a view shows the same: they are not to be summed. */
  watchView(view: WatchedView): void {
    const registers = [this.#registry]
    new Gauge({
      name: 'posthaste_view_behind_seconds',
      help: 'How far the view is behind the stream: +Inf until that is known.',
      registers,
      collect() {
        this.set(Math.max(0, (performance.now() - view.asOfMs()) / 1_000))
      },
    })
    new Gauge({
      name: 'posthaste_invocations',
      help: 'Invocations that the view shows, by state. The same in every process that has one.',
      labelNames: ['state'],
      registers,
      collect() {
        for (const [state, count] of Object.entries(view.counts().byState)) this.set({ state }, count)
      },
    })
    new Gauge({
      name: 'posthaste_dead_letters',
      help: 'Invocations that failed or expired and are kept.',
      registers,
      collect() {
        const { byState } = view.counts()
        this.set(byState.failed + byState.expired)
      },
    })
    new Gauge({
      name: 'posthaste_oldest_due_seconds',
      help: 'For how long that has waited which has been due, or in line, for the longest.',
      registers,
      collect() {
        const { nextDueAtMs = Number.POSITIVE_INFINITY, queuedSinceMs = Number.POSITIVE_INFINITY } = view.counts()
        this.set(Math.max(0, (Date.now() - Math.min(nextDueAtMs, queuedSinceMs)) / 1_000))
      },
    })
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }
}
