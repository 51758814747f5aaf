import type { Log } from '@posthaste/core'
import type { LogName } from '@posthaste/stream'
import type { JetStreamManager } from 'nats'
import type { Connection } from './connection.js'
import { Journal } from './journal.js'
import type { Naming } from './naming.js'
import { Publisher } from './publisher.js'

/** What the parts of a NATS stream share. */
export interface NatsParts {
  readonly connection: Connection
  readonly manager: JetStreamManager
  readonly naming: Naming
  readonly publishers: Readonly<Record<LogName, Publisher>>
  readonly journal: Journal
  readonly recordBytesMax: number
  readonly log: Log
}

/** What is shared by whoever uses `connection`. */
export function partsOn(
  connection: Connection,
  others: Pick<NatsParts, 'manager' | 'naming' | 'recordBytesMax' | 'log'>,
): NatsParts {
  const publishers = {
    calls: new Publisher(connection),
    journal: new Publisher(connection),
    control: new Publisher(connection),
    claims: new Publisher(connection),
  }
  return { ...others, connection, publishers, journal: new Journal(connection, others.naming, publishers.journal) }
}
