import type { Log } from '@posthaste/core'
import type { Admin, EachBatchPayload, Kafka } from 'kafkajs'
import type { Slots } from './assignor.js'

export interface GroupMemberOptions {
  /** Makes a client for one member of a group. */
  readonly client: () => Kafka
  readonly admin: Admin
  readonly groupId: string
  readonly topics: readonly string[]
  readonly slots: Slots
  /** What the member says of itself. */
  readonly member: string
  readonly sessionTimeoutMs: number
  readonly bytesPerPartitionMax: number
  /** How long the broker holds a request that finds nothing, and how soon what is resumed is asked for. */
  readonly fetchWaitMs: number
  readonly log: Log
  readonly events: GroupEvents
}

export interface GroupEvents {
  /** Tells what is owned from now on. All is read from committed offsets then, unless it is sought. */
  joined(slots: ReadonlySet<string>, meanwhile: Meanwhile): void
  /** Nothing is owned any more, until it has joined again. */
  left(): void
  batch(payload: EachBatchPayload): void
  /** Where something stood before `next` there is nothing to be read: marks of transactions, or what these gave up. */
  nothing?(topic: string, partition: number, next: number): void
  /** The broker confirmed that this is a member. */
  confirmed?(): void
  /** A fetch begins. */
  fetching?(): void
}

/**
 * Whether what a member owned can have been in other hands since:
 * - `kept`: no.
 * - `moved`: for a moment.
 * - `expelled`: for as long as it was silent.
 */
export type Meanwhile = 'kept' | 'moved' | 'expelled'
