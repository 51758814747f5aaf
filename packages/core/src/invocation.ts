import type { Children } from './child.js'
import type { Destination } from './destination.js'
import type { Directive } from './directive.js'
import type { Headers } from './headers.js'
import type { Failure, InvocationState } from './lifecycle.js'
import type { RetryPolicy } from './retry-policy.js'

/**
 * What is shown of an invocation: without secrets. Times in milliseconds since the Unix epoch. `target` and `method` are
 * missing only where a record could not be read.
 */
export interface Invocation extends Children {
  readonly id: string
  readonly state: InvocationState
  /** 1 at first; a redrive starts the next one. */
  readonly generation: number
  readonly createdAtMs: number
  readonly endedAtMs?: number
  /** When the attempt is due that is waited for. */
  readonly nextAttemptAtMs?: number
  readonly target?: string
  readonly method?: string
  readonly correlationId?: string
  /** The invocation whose end this one tells of, or the schedule that it is made for. */
  readonly parent?: string
  /** Missing where nothing but the journal is left. */
  readonly instruction?: ShownInstruction
  /** Those that have ended, oldest first; the newest 200 are kept. */
  readonly attempts: readonly Attempt[]
  /** Why it did not succeed, or not yet. */
  readonly failure?: Failure
  /** Of the last attempt that was answered. */
  readonly response?: ShownResponse
  /** What was asked of it while it goes on. */
  readonly directive?: Pick<Directive, 'kind' | 'dueMs' | 'isDone'>
}

/** The rest of an instruction. What is left out follows the listener's defaults. */
export interface ShownInstruction {
  readonly headers: Headers
  readonly bodyBytes: number
  readonly forwardTo?: string
  readonly onSuccess?: Destination
  readonly onFailure?: Destination
  readonly notBeforeMs?: number
  readonly expiresAtMs?: number
  readonly timeoutMs?: number
  readonly retry?: Partial<RetryPolicy>
}

export interface Attempt {
  readonly generation: number
  readonly attempt: number
  /** How many before it, of its generation, were answered; left out for none. */
  readonly answered?: number
  readonly startedAtMs: number
  readonly durationMs: number
  readonly status?: number
  readonly failure?: Failure
  /** Who made it. */
  readonly listener?: string
}

export interface ShownResponse {
  readonly status: number
  readonly headers: Headers
  readonly bodyBytes: number
  /** Whether the body can be read: a larger one than the limit is not kept. */
  readonly isKept: boolean
}

/** A response with its body, which is empty where it was not kept: `bodyBytes` tells. */
export interface KeptResponse {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
  readonly bodyBytes: number
}

/** What a client calls it: as he said, or else by its id. What another gave rise to has only that one's name besides. */
export function clientNameOf({ correlationId, id, parent }: Invocation): string {
  return parent === undefined && correlationId !== undefined ? correlationId : id
}

/** What a directive is about: the turn that an invocation which goes on waits for, or is at. */
export interface WaitingTurn {
  readonly generation: number
  readonly attempt: number
  /** The call of that turn, as `encodeCall` writes it; empty if it is not known. */
  readonly record: Uint8Array
  /** When it is due, of what is scheduled or retrying. */
  readonly dueMs?: number
}

/** What can be redriven. */
export interface DeadLetter {
  readonly generation: number
  readonly acceptedAtMs: number
  /** The record as it was; whoever uses it finds out whether it can be read. */
  readonly record: Uint8Array
}

/** Which invocations to list; all that is given must hold. */
export interface InvocationQuery {
  /** Whose; left out for the operator's own. */
  readonly tenant?: string
  readonly states?: readonly InvocationState[]
  /** A URL, whose query does not matter, or an origin alone (`https://host`), for everything there. */
  readonly target?: string
  readonly correlationId?: string
  /** What a client calls it begins so: `clientNameOf`. */
  readonly namePrefix?: string
  /** Those that this invocation, or schedule, gave rise to. */
  readonly parent?: string
  /** From this time on. */
  readonly createdAfterMs?: number
  /** Up to this time, and not at it. */
  readonly createdBeforeMs?: number
  /** By the time of creation and the id; newest first if left out. */
  readonly order?: 'oldest-first'
  /** `next` of the page before. */
  readonly cursor?: string
  readonly limit: number
}

/** In the order that was asked for. */
export interface InvocationPage {
  /** `limit` at the most; fewer, or none, where very many had to be looked at that do not match. */
  readonly items: readonly Invocation[]
  /** There is more to look at, from here on. */
  readonly next?: string
}

export interface InvocationCounts {
  /** How many the view has come to know, and how many of their generations to end, since it is there: for rates. */
  readonly accepted: number
  readonly ended: number
  readonly byState: Readonly<Record<InvocationState, number>>
  /** What was asked and is not forgotten. */
  readonly directives: number
  /** Since when the one waits that has been `queued` for the longest. */
  readonly queuedSinceMs?: number
  /** When the next one that is scheduled or retrying is due. */
  readonly nextDueAtMs?: number
}
