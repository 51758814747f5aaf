import type {
  Clock,
  DeadLetter,
  Directive,
  EgressPolicy,
  ErrorCode,
  Invocation,
  InvocationCounts,
  InvocationPage,
  InvocationQuery,
  KeptResponse,
  KnownClaim,
  Log,
  SchedulePage,
  ScheduleQuery,
  ShownSchedule,
  WaitingTurn,
} from '@posthaste/core'
import type { ClockSkew, LogName, NewRecord } from '@posthaste/stream'
import type { Credentials, Scope } from './caller.js'
import type { DoorOptions } from './doors/door-options.js'

/** What takes invocations, and what is asked of them. */
export interface InvocationsDoor {
  /** Resolves once the records are durable; rejects with a PosthasteError. */
  append(log: LogName, records: readonly NewRecord[]): Promise<void>
  /** The largest record to accept. */
  readonly recordBytesMax: number
  /** How long an append may take, or the view to show it, before the client is told to come back; 10 s if left out. */
  readonly timeoutMs?: number
  /** How old a call may grow whose instruction does not say so, in milliseconds; not known if left out. */
  readonly maxAgeMs?: number
  /** Hears of what was accepted: how long that took since the request came, and how many it were at once. */
  onAccepted?(durationMs: number, count: number): void
}

/** A query that cannot forget to say for whom it is. */
type OfTenant<Query> = Query & { readonly tenant: string }

/** The view of invocations, which follows the stream. What it shows is true, if not always of this moment. */
export interface ViewDoor {
  /** Whosever it is, or with a tenant only what is his. */
  get(id: string, tenant?: string): Invocation | undefined
  response(id: string): KeptResponse | undefined
  waiting(id: string): WaitingTurn | undefined
  deadLetter(id: string): DeadLetter | undefined
  directive(id: string): Directive | undefined
  /** The first in its log for the key. */
  claim(key: string): KnownClaim | undefined
  /** @throws PosthasteError `invalid-query` if the cursor is not one of ours */
  list(query: OfTenant<InvocationQuery>): InvocationPage
  /** As `get`. */
  schedule(id: string, tenant?: string): ShownSchedule | undefined
  /** @throws PosthasteError `invalid-query` if the cursor is not one of ours */
  schedules(query: OfTenant<ScheduleQuery>): SchedulePage
  /** Of all tenants. */
  counts(): InvocationCounts
  /** When the oldest one that is `queued` was created, of all tenants: not for every second. */
  oldestWaitingAtMs(): number | undefined
  /** How many invocations and schedules of a tenant go on. */
  openOf(tenant: string): number
  /** How many directives stand: of a tenant, and of the others. */
  directivesOf(tenant: string): { readonly own: number; readonly others: number }
  /**
   * Up to when the view is complete, by `performance.now()` of this thread: it shows whatever was durable by then, on each
   * of the logs. `-Infinity` if that is not known yet.
   */
  asOfMs(): number
  /**
   * Asks now, after each change, and whenever `asOfMs` has grown; resolves with the first answer that is not undefined. With
   * undefined after `timeoutMs`, or when `signal` aborts.
   */
  until<T>(ask: () => T | undefined, timeoutMs: number, signal?: AbortSignal): Promise<T | undefined>
}

/** What only the process knows besides the view. */
export interface Activity {
  /** Of the last minute. */
  readonly rates: { readonly acceptedPerSecond: number; readonly endedPerSecond: number }
  /** How far the listener in this process is. */
  readonly listener?: object
}

/** What serves `/cycle`. */
export interface CycleDoor {
  /** Triggers a cycle and resolves with a report when it has drained the stream, or after `waitMs`. */
  ping(waitMs: number): Promise<{ readonly drained: boolean }>
}

export interface Readiness {
  readonly ready: boolean
  /** Why not; empty if ready. */
  readonly reasons: readonly string[]
  /** How far this clock is from the stream's, where that is known. */
  readonly clock?: ClockSkew | undefined
}

/** Text for Prometheus. */
export interface Metrics {
  readonly contentType: string
  readonly text: string
}

/** How to serve HTTP. A door that is not given is not there. */
export interface AccepterOptions {
  /** An address, or a name: of that, the first address that it has. */
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly clock: Clock
  readonly log: Log
  /** How many connections may be open, of which an address leaves as many as it has; one more is closed as it comes. */
  readonly connectionsMax: number
  /** How long a client may take to send a whole request; 60 s if left out. */
  readonly requestTimeoutMs?: number
  /** How long a client may take to fetch an answer, and up to twice as long; 60 s if left out. */
  readonly answerTimeoutMs?: number
  /** How many requests may wait for something to become of an invocation; as `LIMITS` says if left out. */
  readonly waitingMax?: number
  /** How many changes of invocations may be looked out for; as `LIMITS` says if left out. */
  readonly changesMax?: number
  /** What may be called; what is public if left out. */
  readonly egress?: EgressPolicy
  /** Who may ask for what; everybody for everything if left out. */
  readonly credentials?: Credentials | undefined
  /** With this, who has no token may ping `/cycle`. */
  readonly pingSecret?: string
  /** What is served, by the scope that it needs; everything if left out. */
  readonly serves?: (scope: Scope | 'open') => boolean
  /** Ways in for clients of other systems, to the functions that there are; without it there are neither. */
  readonly doors?: DoorOptions
  /** Hears of every request that is answered with an error, and of every such instruction of a batch. */
  readonly onRefused?: (code: ErrorCode) => void
  readonly readiness: () => Promise<Readiness>
  readonly invocations?: InvocationsDoor
  /** Shows invocations; with `invocations`, changes them too. */
  readonly view?: ViewDoor
  readonly cycle?: CycleDoor
  readonly activity?: () => Promise<Activity>
  readonly metrics?: () => Promise<Metrics>
}
