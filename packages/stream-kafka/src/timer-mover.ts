import { setTimeout as sleep } from 'node:timers/promises'
import type { TopicPartitionOffsetAndMetadata } from 'kafkajs'
import { slotsApart } from './assignor.js'
import { GroupMember } from './group-member.js'
import type { LanePartition, LaneParts, LanePosition } from './lane-partition.js'
import { LongLane } from './long-lane.js'
import { ShortLane } from './short-lane.js'
import type { StreamParts } from './stream-parts.js'
import type { LaneTopic } from './topic-names.js'
import { Trimmer } from './trimmer.js'

const FETCH_BYTES_MAX = 256 * 1024
/** Lanes are read a second before they must be, and there are many of them. */
const FETCH_WAIT_MS = 400
const RETRY_MS = 500

/** A member of the group that moves timers: from lane to lane as their time comes closer, and to `calls` when it has come. */
export class TimerMover {
  readonly #parts: StreamParts
  readonly #groupId: string
  readonly #member: GroupMember
  readonly #laneParts: LaneParts
  readonly #trimmer: Trimmer
  /** By slot: topic and partition. */
  readonly #lanes = new Map<string, LanePartition>()
  readonly #stopping = new AbortController()
  #hasJoined = false
  #timer: NodeJS.Timeout | undefined

  constructor(parts: StreamParts, groupId: string) {
    this.#parts = parts
    this.#groupId = groupId
    const { log, sessionTimeoutMs } = parts.settings
    this.#member = new GroupMember({
      client: parts.client,
      admin: parts.admin,
      groupId,
      topics: parts.names.lanes.map(({ topic }) => topic),
      slots: slotsApart(parts.topics.lanePartitions),
      member: '',
      sessionTimeoutMs,
      bytesPerPartitionMax: FETCH_BYTES_MAX,
      fetchWaitMs: Math.min(FETCH_WAIT_MS, sessionTimeoutMs / 20),
      log,
      events: {
        joined: (slots, meanwhile) => this.#joined(slots, meanwhile === 'kept'),
        left: () => this.#joined(new Set(), false),
        batch: (payload) => this.#lanes.get(slotOf(payload.batch.topic, payload.batch.partition))?.takeBatch(payload),
        fetching: () => {
          for (const lane of this.#lanes.values()) lane.reader.fetching()
        },
      },
    })
    this.#laneParts = { ...parts, sender: parts.effects, member: this.#member, log }
    this.#trimmer = new Trimmer(parts)
  }

  /** Whether timers that are due may be still to be moved, as far as this member can know. */
  get hasOverdue(): boolean {
    if (!this.#hasJoined) return true
    for (const { isOverdue } of this.#lanes.values()) if (isOverdue) return true
    return false
  }

  start(): void {
    this.#member.start()
    this.#trimmer.start()
    this.#timer ??= setInterval(() => void this.#commit(), this.#parts.settings.commitEveryMs)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    clearInterval(this.#timer)
    await this.#trimmer.stop()
    await Promise.all([...this.#lanes.values()].map((lane) => lane.close()))
    await this.#commit()
    this.#lanes.clear()
    await this.#member.stop()
  }

  /** What is moved by two members for a moment is moved twice, and one turn all the same. */
  #joined(slots: ReadonlySet<string>, isKept: boolean): void {
    this.#hasJoined = true
    for (const [slot, lane] of this.#lanes) {
      if (isKept && slots.has(slot)) lane.reader.rejoined()
      else {
        void lane.close()
        this.#lanes.delete(slot)
      }
    }
    const taken: LanePartition[] = []
    for (const slot of slots) {
      if (this.#lanes.has(slot)) continue
      const lane = this.#laneAt(slot)
      this.#lanes.set(slot, lane)
      taken.push(lane)
    }
    void this.#open(taken)
  }

  #laneAt(slot: string): LanePartition {
    const [topic, partition] = slot.split(' ')
    const lane = this.#parts.names.lanes.find((each) => each.topic === topic) as LaneTopic
    const Kind = lane.lengthMs === 0 ? ShortLane : LongLane
    return new Kind(lane, Number(partition), this.#laneParts)
  }

  async #open(taken: readonly LanePartition[]): Promise<void> {
    while (taken.length > 0 && !this.#stopping.signal.aborted) {
      try {
        const checkpoints = await this.#checkpoints()
        for (const lane of taken) {
          if (this.#lanes.get(slotOf(lane.lane.topic, lane.partition)) === lane) {
            lane.open(checkpoints.get(slotOf(lane.lane.topic, lane.partition)))
          }
        }
        return
      } catch (error) {
        this.#parts.settings.log.debug({ err: error }, 'checkpoints of timers cannot be read; trying again')
      }
      await sleep(RETRY_MS)
    }
  }

  /** By slot. */
  async #checkpoints(): Promise<Map<string, LanePosition>> {
    const { admin, names } = this.#parts
    const topics = names.lanes.map(({ topic }) => topic)
    const found = await admin.fetchOffsets({ groupId: this.#groupId, topics })
    return new Map(
      found.flatMap(({ partitions, topic }) =>
        partitions
          .filter(({ offset }) => Number(offset) >= 0)
          .map(({ metadata, offset, partition }): [string, LanePosition] => [
            slotOf(topic, partition),
            { offset: Number(offset), metadata: metadata ?? '' },
          ]),
      ),
    )
  }

  async #commit(): Promise<void> {
    const offsets: TopicPartitionOffsetAndMetadata[] = []
    const changed: LanePartition[] = []
    for (const lane of this.#lanes.values()) {
      const position = lane.changedPosition()
      if (!position) continue
      changed.push(lane)
      const { lane: of, partition } = lane
      offsets.push({ topic: of.topic, partition, offset: String(position.offset), metadata: position.metadata })
    }
    if (offsets.length === 0) return
    try {
      await this.#member.commit(offsets)
      for (const { offset, partition, topic } of offsets) this.#trimmer.below(topic, partition, Number(offset))
    } catch (error) {
      // The next time is good enough: until then it would be moved again, and be one turn all the same.
      for (const lane of changed) lane.positionNotKept()
      this.#parts.settings.log.debug({ err: error }, 'checkpoints of timers cannot be committed now')
    }
  }
}

function slotOf(topic: string, partition: number): string {
  return `${topic} ${partition}`
}
