import type { Clock, Log, RetryPolicy } from '@posthaste/core'
import type { Consumer } from '@posthaste/stream'
import type { ControlLog } from './control-follower.js'
import type { CountedAttempt } from './counted-attempt.js'

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
  /** Time-out of a call whose instruction names none. */
  readonly timeoutMs: number
  readonly retry: RetryPolicy
  /** A response body is kept up to this size. */
  readonly responseBytesMax: number
  /** Larger records are dead-lettered: only other producers can have written them. */
  readonly recordBytesMax: number
  /** Hears of every attempt that was made. */
  readonly onAttempt?: (attempt: CountedAttempt) => void
  /** Which attempts get a log line. */
  readonly logAttempts: 'failed' | 'all'
}
