import type { Log } from '@posthaste/core'
import type { JetStreamManager } from 'nats'
import type { Connection } from './connection.js'
import type { Journal } from './journal.js'
import type { Naming } from './naming.js'
import type { Publisher } from './publisher.js'

/** What the parts of a NATS stream share. */
export interface NatsParts {
  readonly connection: Connection
  readonly manager: JetStreamManager
  readonly naming: Naming
  readonly calls: Publisher
  readonly journal: Journal
  readonly recordBytesMax: number
  readonly log: Log
}
