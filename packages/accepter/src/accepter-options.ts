import type { Clock, Log } from '@posthaste/core'
import type { ClockSkew, NewRecord } from '@posthaste/stream'

/** What serves `/invocations`. */
export interface InvocationsDoor {
  /** Resolves once the records are durable; rejects with a PosthasteError. */
  append(records: readonly NewRecord[]): Promise<void>
  /** The largest record to accept. */
  readonly recordBytesMax: number
  /** How long an append may take before the client is told to come back; 10 s if left out. */
  readonly timeoutMs?: number
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

/** How to serve HTTP. A door that is not given is not there. */
export interface AccepterOptions {
  /** An address, or a name: of that, the first address that it has. */
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly clock: Clock
  readonly log: Log
  /** How many connections may be open; one more is closed as it comes. */
  readonly connectionsMax: number
  /** How long a client may take to send a whole request; 60 s if left out. */
  readonly requestTimeoutMs?: number
  readonly readiness: () => Promise<Readiness>
  readonly invocations?: InvocationsDoor
  readonly cycle?: CycleDoor
}
