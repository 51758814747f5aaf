import type { Clock, Log } from '@posthaste/core'
import type { Environment } from '@posthaste/storage'
import type { Bell } from './bell.js'
import type { EmbeddedLogs } from './embedded-log.js'
import type { Timers } from './timers.js'

/** What the parts of an embedded stream share. */
export interface EmbeddedParts {
  readonly environment: Environment
  readonly logs: EmbeddedLogs
  readonly timers: Timers
  readonly bell: Bell
  /** The time of day: when timers are due, and how old records are. */
  readonly clock: Clock
  readonly log: Log
}
