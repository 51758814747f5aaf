import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@posthaste/core'
import type { EachBatchPayload, KafkaMessage } from 'kafkajs'
import type { GroupMember } from './group-member.js'
import type { LaneReader } from './lane-reader.js'
import { decideLane } from './lanes.js'
import { partitionOf } from './partition-of.js'
import { dueOf, homeOf, moved, type Outgoing } from './record-codec.js'
import type { Sender } from './sender.js'
import type { LaneTopic, TopicNames } from './topic-names.js'
import type { Topics } from './topics.js'

const RETRY_MS = 250

export interface LaneParts {
  readonly member: GroupMember
  readonly sender: Sender
  readonly names: TopicNames
  readonly topics: Topics
  readonly log: Log
}

/** What a checkpoint of a lane says. */
export interface LanePosition {
  readonly offset: number
  readonly metadata: string
}

/** A partition of a lane of timers, from its assignment to this member until it is lost. */
export interface LanePartition {
  readonly lane: LaneTopic
  readonly partition: number
  readonly reader: LaneReader
  /** Whether timers that are due may stand here. */
  readonly isOverdue: boolean
  /** Begins to read, from the checkpoint if there is one. */
  open(checkpoint: LanePosition | undefined): void
  takeBatch(payload: EachBatchPayload): void
  /** Where to go on from, if that has changed since it was asked for. */
  changedPosition(): LanePosition | undefined
  /** What `changedPosition` told could not be committed. */
  positionNotKept(): void
  /** Resolves when nothing moves any more. */
  close(): Promise<void>
}

/** What timers that move on become: records of `calls` once they are due, else timers of a shorter lane. */
export function movedOn(messages: readonly KafkaMessage[], { names, topics }: LaneParts): Outgoing[] {
  const nowMs = Date.now()
  return messages.map((message) => {
    const { dueMs = 0 } = dueOf(message) ?? {}
    if (dueMs <= nowMs) return moved(message, names.calls, homeOf(message) % topics.partitions)
    const { topic } = decideLane(names.lanes, dueMs - nowMs)
    const partition = partitionOf(message.key?.toString() ?? '', topics.lanePartitions.get(topic) ?? 1)
    return moved(message, topic, partition, dueMs)
  })
}

/** Tries until it is stored; resolves false if `isClosed` comes first. */
export async function sendMoved(
  records: readonly Outgoing[],
  parts: LaneParts,
  isClosed: () => boolean,
): Promise<boolean> {
  for (let failures = 0; ; failures += 1) {
    try {
      await parts.sender.send(records)
      return true
    } catch (error) {
      if (isClosed()) return false
      if (failures === 0) parts.log.warn({ err: error }, 'timers cannot be moved; trying again')
    }
    await sleep(RETRY_MS)
  }
}
