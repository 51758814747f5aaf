import type { Progress } from '@posthaste/stream'
import { type Admin, AssignerProtocol } from 'kafkajs'
import { memberDataOf } from './assignor.js'
import type { OwnedPartition } from './owned-partition.js'
import type { Watermark } from './watermarks.js'

type PlaceProgress = Omit<Progress, 'partition' | 'overdue'>

/** What the group knows of a partition of `calls`. */
export interface GroupProgress {
  /** -1 if nothing was ever committed. */
  readonly committed: number
  /** What its owner said of itself; undefined if it has none. */
  readonly member: string | undefined
}

/** Asks the brokers how far a group has come, and who owns what. By partition. */
export async function groupProgress(admin: Admin, groupId: string, topic: string): Promise<Map<number, GroupProgress>> {
  const [offsets, { groups }] = await Promise.all([
    admin.fetchOffsets({ groupId, topics: [topic] }),
    admin.describeGroups([groupId]),
  ])
  const members = new Map<number, string>()
  for (const { memberAssignment, memberMetadata } of groups[0]?.members ?? []) {
    const text = memberDataOf(memberMetadata)?.member ?? ''
    for (const partition of partitionsOf(memberAssignment, topic)) members.set(partition, text)
  }
  return new Map(
    offsets[0]?.partitions.map(({ offset, partition }) => [
      partition,
      { committed: Number(offset), member: members.get(partition) },
    ]),
  )
}

/** How far `member` has come, which owns the partition. */
export function progressHere(
  { deliveries, prefix }: OwnedPartition,
  { high }: Watermark,
  member: string,
): PlaceProgress {
  const { committed } = prefix
  // What was asked for before may have come since.
  return { committed, end: Math.max(high, committed), inFlight: deliveries.size, owner: 'this', member }
}

/** How far others have come. While this member takes the partition nobody owns it. */
export function progressElsewhere(
  { high, low }: Watermark,
  other: GroupProgress | undefined,
  isTaking: boolean,
): PlaceProgress {
  const member = isTaking ? undefined : other?.member
  return {
    committed: Math.max(low, other?.committed ?? 0),
    end: high,
    inFlight: 0,
    owner: member === undefined ? 'none' : 'other',
    member: member ?? '',
  }
}

/** None while the group is rebalancing. */
function partitionsOf(memberAssignment: Buffer, topic: string): readonly number[] {
  if (memberAssignment.length === 0) return []
  return AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment[topic] ?? []
}
