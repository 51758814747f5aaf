import { setTimeout as sleep } from 'node:timers/promises'
import { PosthasteError } from '@posthaste/core'
import type { CheckpointStore } from '@posthaste/storage'
import { CompletedPrefix } from '@posthaste/stream'
import type { Admin } from 'kafkajs'
import { type CheckpointData, decodeCheckpoint } from './checkpoint-codec.js'
import type { GroupMember } from './group-member.js'
import { inParallel } from './in-parallel.js'
import { Ledger } from './ledger.js'
import type { OwnedPartition } from './owned-partition.js'
import type { TopicNames } from './topic-names.js'
import type { Marks, Watermarks } from './watermarks.js'

/** How long a member that has lost a partition may still record what it has in work, or check it out. */
export const SETTLE_MS = 1_000

/**
 * Entries that are read besides those that must be: after a crash timers that came due a moment before may come again,
 * and their turns are known then.
 */
const RECENT = 5_000
const TRUST_LOOK_MS = 50
/** So many partitions are claimed at a time. */
const CLAIMS_MAX = 8

export interface TakeoverParts {
  readonly admin: Admin
  readonly groupId: string
  readonly topics: TopicNames
  readonly watermarks: Watermarks
  readonly checkpoints: CheckpointStore | undefined
  readonly member: GroupMember
  /** Stores the checkpoints of these partitions. */
  commit(partitions: readonly OwnedPartition[]): Promise<void>
}

interface Found {
  readonly offset: number
  readonly data: CheckpointData | undefined
}

/**
 * Finds out what the last owners of partitions left, then opens them: what is completed, from their checkpoints, and
 * which turns ended since, from the journal.
 *
 * A checkpoint of somebody who has not released it may be that of a member which has lost the partition a moment ago
 * and still records what it has in work: it is waited for. So before a record is delivered, a checkpoint must stand
 * there that is not released.
 */
export async function takeOver(owned: readonly OwnedPartition[], parts: TakeoverParts): Promise<void> {
  await trusted(owned, parts.member)
  let checkpoints = await fetchCheckpoints(owned, parts)
  const isUsed = ({ data, offset }: Found): boolean => offset >= 0 && data?.isReleased !== true
  if ([...checkpoints.values()].some(isUsed)) {
    await sleep(SETTLE_MS)
    await trusted(owned, parts.member)
    checkpoints = await fetchCheckpoints(owned, parts)
  }
  const [calls, journal] = await Promise.all([
    parts.watermarks.of(parts.topics.calls),
    parts.watermarks.of(parts.topics.journal),
  ])
  const takeOne = async (partition: OwnedPartition): Promise<void> => {
    const found = checkpoints.get(partition.partition) ?? UNTOUCHED
    const { from, to } = begin(partition, found, calls, journal)
    await partition.journal.read(from, to)
  }
  await Promise.all(owned.filter(isTaking).map(takeOne))
  const unmarked = owned.filter((one) => isTaking(one) && !isUsed(checkpoints.get(one.partition) ?? UNTOUCHED))
  if (unmarked.length > 0) await parts.commit(unmarked)
  for (const partition of owned.filter(isTaking)) partition.open()
}

/** Resolves once the group is sure to give to this member what is still to be taken: nothing else is to be claimed. */
async function trusted(owned: readonly OwnedPartition[], member: GroupMember): Promise<void> {
  while (!member.isTrusted && owned.some(isTaking)) await sleep(TRUST_LOOK_MS)
}

const UNTOUCHED: Found = { offset: -1, data: undefined }

/**
 * Sets up what a checkpoint says and returns what is to be read of the journal. Where there is no checkpoint, everything
 * that stands on `calls` is to be done, and the journal says nothing of it.
 */
function begin(
  partition: OwnedPartition,
  { data, offset }: Found,
  calls: Marks,
  journal: Marks,
): { from: number; to: number } {
  const { high: end = 0, low = 0 } = calls.get(partition.partition) ?? {}
  const { high = 0, low: journalLow = 0 } = journal.get(partition.partition) ?? {}
  partition.committed = offset
  partition.prefix = new CompletedPrefix(Math.max(offset, low), data?.beyond)
  partition.inheritedEnd = end
  if (!data) {
    partition.ledger = new Ledger(partition.writer, high)
    return { from: high, to: high }
  }
  partition.ledger = new Ledger(partition.writer, Math.max(data.journal, journalLow), data.marks)
  // Who released it has written down all that was moved.
  const recent = data.isReleased ? 0 : RECENT
  return { from: Math.max(data.marks - recent, journalLow), to: high }
}

async function fetchCheckpoints(
  owned: readonly OwnedPartition[],
  { admin, checkpoints, groupId, topics }: TakeoverParts,
): Promise<Map<number, Found>> {
  if (checkpoints) return claim(owned, checkpoints, groupId)
  const [answer] = await admin.fetchOffsets({ groupId, topics: [topics.calls] })
  const told = new Map(answer?.partitions.map((each) => [each.partition, each]))
  return new Map(
    owned.map(({ partition }) => {
      const found = told.get(partition)
      // The library asks for those that it knows of only. Nothing said is not the same as nothing committed.
      if (!found)
        throw new PosthasteError('stream-unavailable', `The offset of partition ${partition} is not known yet.`)
      const offset = Number(found.offset)
      const data = decodeCheckpoint(offset, found.metadata) ?? (offset < 0 ? undefined : NOTHING_SAID)
      return [partition, { offset, data }]
    }),
  )
}

/** Of an offset that somebody else committed: the whole journal may speak of what is beyond. */
const NOTHING_SAID: CheckpointData = { beyond: [], journal: 0, marks: 0, isReleased: false }

async function claim(
  owned: readonly OwnedPartition[],
  checkpoints: CheckpointStore,
  groupId: string,
): Promise<Map<number, Found>> {
  const found = new Map<number, Found>()
  await inParallel(owned, CLAIMS_MAX, async (partition) => {
    // One that went to another meanwhile is claimed there: a later claim would take it away again.
    if (!isTaking(partition)) return
    const { checkpoint, epoch } = await checkpoints.claim(`${groupId}/${partition.partition}`)
    partition.epoch = epoch
    const [journal, marks, released] = checkpoint.journal.split(' ')
    const data = { journal: Number(journal), marks: Number(marks), isReleased: released === 'released' }
    found.set(
      partition.partition,
      checkpoint.journal === ''
        ? UNTOUCHED
        : { offset: checkpoint.offset, data: { ...data, beyond: checkpoint.beyond } },
    )
  })
  return found
}

/** How a checkpoint store keeps the journal's positions. */
export function journalText({ isReleased, journal, marks }: CheckpointData): string {
  return `${journal} ${marks}${isReleased ? ' released' : ''}`
}

function isTaking({ state }: OwnedPartition): boolean {
  return state === 'taking'
}
