import { AssignerProtocol, type Assignment, type GroupMember, type PartitionAssigner } from 'kafkajs'
import { assign, type Candidate } from './assignment.js'

/** What a member says of itself when it joins. */
export interface MemberData {
  /** What `ConsumeOptions.member` says. */
  readonly member: string
  readonly owned: readonly string[]
  readonly generation: number
}

/** How the partitions of the topics that a group reads are shared. */
export interface Slots {
  /** Stands for the scheme among the members of a group, which must all have the same. */
  readonly name: string
  /** All that there is to own. */
  readonly all: readonly string[]
  /** The partitions that belong to a slot. */
  partitionsOf(slot: string): readonly { readonly topic: string; readonly partition: number }[]
}

const VERSION = 1

/** Partition p of every topic is one slot: they go to the same member. */
export function slotsTogether(topics: readonly string[], partitions: number): Slots {
  return {
    name: 'posthaste-together',
    all: Array.from({ length: partitions }, (_, partition) => String(partition)),
    partitionsOf: (slot) => topics.map((topic) => ({ topic, partition: Number(slot) })),
  }
}

/** Every partition of every topic is a slot of its own. */
export function slotsApart(partitionsByTopic: ReadonlyMap<string, number>): Slots {
  return {
    name: 'posthaste-apart',
    all: [...partitionsByTopic].flatMap(([topic, count]) =>
      Array.from({ length: count }, (_, partition) => `${topic} ${partition}`),
    ),
    partitionsOf: (slot) => {
      const [topic = '', partition] = slot.split(' ')
      return [{ topic, partition: Number(partition) }]
    },
  }
}

/** `data` is asked for each time the member joins. */
export function assignorOf(slots: Slots, data: () => MemberData): PartitionAssigner {
  return () => ({
    name: slots.name,
    version: VERSION,
    protocol: ({ topics }) => ({
      name: slots.name,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version: VERSION,
        topics,
        userData: Buffer.from(JSON.stringify(data())),
      }),
    }),
    assign: async ({ members }) => {
      const assigned = assign(members.map(candidateOf), slots.all)
      return [...assigned].map(([memberId, own]) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: VERSION,
          assignment: assignmentOf(slots, own),
          userData: Buffer.alloc(0),
        }),
      }))
    },
  })
}

/** What a member said of itself; undefined if it is none of ours. */
export function memberDataOf(memberMetadata: Buffer): MemberData | undefined {
  try {
    const decoded = AssignerProtocol.MemberMetadata.decode(memberMetadata)
    return decoded?.userData ? (JSON.parse(decoded.userData.toString()) as MemberData) : undefined
  } catch {
    return undefined
  }
}

function candidateOf({ memberId, memberMetadata }: GroupMember): Candidate {
  const { generation = -1, owned = [] } = memberDataOf(memberMetadata) ?? {}
  return { id: memberId, owned, generation }
}

function assignmentOf(slots: Slots, own: readonly string[]): Assignment {
  const assignment: Assignment = {}
  for (const slot of own) {
    for (const { topic, partition } of slots.partitionsOf(slot)) {
      assignment[topic] = [...(assignment[topic] ?? []), partition]
    }
  }
  return assignment
}
