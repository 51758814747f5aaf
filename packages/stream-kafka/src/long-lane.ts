import type { EachBatchPayload, KafkaMessage } from 'kafkajs'
import { type LanePartition, type LaneParts, type LanePosition, movedOn, sendMoved } from './lane-partition.js'
import { LaneReader } from './lane-reader.js'
import { moveAtMs } from './lanes.js'
import { dueOf } from './record-codec.js'
import type { LaneTopic } from './topic-names.js'

const WAIT_MS_MAX = 2 ** 31 - 1

/**
 * A partition of a lane that is first in, first due. Only its head is looked at: while that has to wait it is not even
 * read.
 */
export class LongLane implements LanePartition {
  readonly lane: LaneTopic
  readonly partition: number
  /** At the head. */
  readonly reader: LaneReader
  readonly #parts: LaneParts
  #isChanged = false
  #isClosed = false
  #moving: Promise<void> | undefined
  /** Whether something that is being moved was due. */
  #movesDue = false
  #wake: NodeJS.Timeout | undefined

  constructor(lane: LaneTopic, partition: number, parts: LaneParts) {
    this.lane = lane
    this.partition = partition
    this.#parts = parts
    this.reader = new LaneReader(parts.member, lane, partition)
  }

  get isOverdue(): boolean {
    if (this.#moving) return this.#movesDue
    return this.#wake === undefined && !this.reader.isAtEnd
  }

  open(checkpoint: LanePosition | undefined): void {
    this.reader.open(checkpoint?.offset)
  }

  takeBatch({ batch }: EachBatchPayload): void {
    if (this.#isClosed || this.#moving || this.#wake) return
    const messages = batch.messages.filter(({ offset }) => Number(offset) >= this.reader.offset)
    const nowMs = Date.now()
    const waits = messages.findIndex((message) => this.#goesOnAtMs(message) > nowMs)
    this.reader.pause()
    if (waits === 0) this.#wait(messages[0] as KafkaMessage)
    else this.#moving = this.#move(waits < 0 ? messages : messages.slice(0, waits), Number(batch.lastOffset()) + 1)
  }

  changedPosition(): LanePosition | undefined {
    if (!this.#isChanged) return undefined
    this.#isChanged = false
    return { offset: this.reader.offset, metadata: '' }
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
    this.#moving = undefined
    this.#wake = undefined
    // It is asked for its position after it was closed, too.
    if (this.#isClosed) this.reader.readTo(offset)
    else this.reader.open(offset)
  }
}
