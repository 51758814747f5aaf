import type { Clock, EgressPolicy, FunctionMap, Log, RetryPolicy, TargetRule, TlsVersion } from '@posthaste/core'
import type { Consumer } from '@posthaste/stream'
import type { TargetTime } from './awake-time.js'
import type { ControlLog } from './control-follower.js'
import type { CountedAttempt } from './counted-attempt.js'
import type { Lookup } from './name-lookups.js'

/** How a listener works. Times in milliseconds, sizes in bytes. */
export interface ListenerOptions {
  readonly consumer: Consumer
  /** The stream that the consumer is of: where it is told what is asked of invocations. */
  readonly control: ControlLog
  /** What the journal calls this listener: where others can reach it, or any text. */
  readonly name: string
  readonly clock: Clock
  readonly log: Log
  /** Cron expression, with a seconds field if it has six; undefined if only pings and commands trigger. */
  readonly schedule: string | undefined
  /** How long a cycle waits for more once the stream is drained. */
  readonly lingerMs: number
  /** Records asked of the stream at once. */
  readonly batchRecords: number
  /** Calls running at once. */
  readonly concurrency: number
  /** Calls running at once for one target origin. */
  readonly concurrencyPerTarget: number
  /** Calls that begin in a second for one target origin; 0 for any number. */
  readonly ratePerTarget: number
  /** Calls that may begin at once for one target origin after a rest, where there is a rate. */
  readonly burstPerTarget: number
  /** Calls of one target origin that must fail in a row before it is not called any more; 0 for never. */
  readonly breakerFailures: number
  /** Time-out of a call whose instruction names none. */
  readonly timeoutMs: number
  readonly retry: RetryPolicy
  /** What may be called; what is public if left out. */
  readonly egress?: EgressPolicy
  /** The named functions that there are now: asked at each call, so that a change holds for what waits. */
  readonly functions?: () => FunctionMap
  /** How names are looked up; by the system if left out. */
  readonly lookup?: Lookup
  /** How calls of certain targets are signed, and over which TLS they go. */
  readonly targetRules?: readonly TargetRule[]
  /** The oldest TLS that is spoken with targets, where no rule says another; that of Node if left out. */
  readonly tlsMin?: TlsVersion
  /** A response body is kept up to this size. */
  readonly responseBytesMax: number
  /** Larger records are dead-lettered: only other producers can have written them. */
  readonly recordBytesMax: number
  /** Hears of every attempt that was made. */
  readonly onAttempt?: (attempt: CountedAttempt) => void
  /** Which attempts get a log line. */
  readonly logAttempts: 'failed' | 'all'
  /** By which targets are judged; one of its own, which stands still while the listener does, if left out. */
  readonly time?: TargetTime
}
