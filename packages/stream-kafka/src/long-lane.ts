import type { EachBatchPayload, KafkaMessage } from 'kafkajs'
import { type LanePartition, type LaneParts, type LanePosition, movedOn, sendMoved } from './lane-partition.js'
import { moveAtMs } from './lanes.js'
import { dueOf } from './record-codec.js'
import type { LaneTopic } from './topic-names.js'

const WAIT_MS_MAX = 2 ** 31 - 1
/** After so many fetches that brought nothing there is nothing. */
const EMPTY_FETCHES = 3

/**
 * A partition of a lane that is first in, first due. Only its head is looked at: while that has to wait it is not even
 * read.
 */
export class LongLane implements LanePartition {
  readonly lane: LaneTopic
  readonly partition: number
  readonly #parts: LaneParts
  /** Offset of the head; -1 if it is not known. */
  #offset = -1
  #isChanged = false
  #isClosed = false
  #moving: Promise<void> | undefined
  /** Whether something that is being moved was due. */
  #movesDue = false
  #wake: NodeJS.Timeout | undefined
  #emptyFetches = 0

  constructor(lane: LaneTopic, partition: number, parts: LaneParts) {
    this.lane = lane
    this.partition = partition
    this.#parts = parts
    parts.member.pause(lane.topic, partition)
  }

  get isOverdue(): boolean {
    if (this.#moving) return this.#movesDue
    return this.#wake === undefined && this.#emptyFetches < EMPTY_FETCHES
  }

  /** Where there is no checkpoint the library begins at the start. */
  open(checkpoint: LanePosition | undefined): void {
    this.#emptyFetches = 0
    if (checkpoint) {
      this.#offset = checkpoint.offset
      // Not left to the library: it may still have in mind where this lane was sought when it was here before.
      this.#parts.member.seek(this.lane.topic, this.partition, checkpoint.offset)
    }
    this.#parts.member.resume(this.lane.topic, this.partition)
  }

  takeBatch({ batch }: EachBatchPayload): void {
    if (this.#isClosed || this.#moving || this.#wake) return
    const messages = batch.messages.filter(({ offset }) => Number(offset) >= this.#offset)
    const nowMs = Date.now()
    const waits = messages.findIndex((message) => this.#goesOnAtMs(message) > nowMs)
    this.#parts.member.pause(this.lane.topic, this.partition)
    if (waits === 0) this.#wait(messages[0] as KafkaMessage)
    else this.#moving = this.#move(waits < 0 ? messages : messages.slice(0, waits), Number(batch.lastOffset()) + 1)
  }

  fetching(): void {
    this.#emptyFetches += 1
  }

  rejoined(): void {
    if (this.#offset >= 0) this.#parts.member.seek(this.lane.topic, this.partition, this.#offset)
  }

  changedPosition(): LanePosition | undefined {
    if (!this.#isChanged) return undefined
    this.#isChanged = false
    return { offset: this.#offset, metadata: '' }
  }

  positionNotKept(): void {
    this.#isChanged = true
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#wake)
    await this.#moving
  }

  #goesOnAtMs(message: KafkaMessage): number {
    const due = dueOf(message)
    return due ? Math.min(due.dueMs, moveAtMs(this.lane, due.putMs)) : 0
  }

  #wait(head: KafkaMessage): void {
    const leftMs = this.#goesOnAtMs(head) - Date.now()
    this.#wake = setTimeout(() => this.#goOn(Number(head.offset)), Math.min(Math.max(1, leftMs), WAIT_MS_MAX))
  }

  async #move(messages: readonly KafkaMessage[], end: number): Promise<void> {
    const nowMs = Date.now()
    this.#movesDue = messages.some((message) => (dueOf(message)?.dueMs ?? 0) <= nowMs)
    const last = messages.at(-1)
    const records = movedOn(messages, this.#parts)
    if (records.length > 0 && !(await sendMoved(records, this.#parts, () => this.#isClosed))) return
    this.#isChanged = true
    this.#goOn(last ? Number(last.offset) + 1 : end)
  }

  #goOn(offset: number): void {
    this.#offset = offset
    this.#moving = undefined
    this.#wake = undefined
    this.#emptyFetches = 0
    if (this.#isClosed) return
    this.#parts.member.seek(this.lane.topic, this.partition, offset)
    this.#parts.member.resume(this.lane.topic, this.partition)
  }
}
