import { CompletedPrefix } from '@posthaste/stream'
import type { EachBatchPayload, KafkaMessage } from 'kafkajs'
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint-codec.js'
import { DueHeap } from './due-heap.js'
import { type LanePartition, type LaneParts, type LanePosition, movedOn, sendMoved } from './lane-partition.js'
import { LaneReader } from './lane-reader.js'
import { dueOf } from './record-codec.js'
import type { LaneTopic } from './topic-names.js'

/** Kept in memory, a partition. What is beyond is read once there is room: all of it comes due within seconds. */
const HELD_BYTES_MAX = 16 * 1024 * 1024
const HELD_RECORDS_MAX = 50_000
const MOVE_RECORDS_MAX = 2_000

interface Held {
  readonly dueMs: number
  readonly message: KafkaMessage
}

/** A partition of the short lane: read at once, and kept in memory until it is due. */
export class ShortLane implements LanePartition {
  readonly lane: LaneTopic
  readonly partition: number
  readonly reader: LaneReader
  readonly #parts: LaneParts
  readonly #heap = new DueHeap<Held>()
  #prefix = new CompletedPrefix(0)
  #isOpen = false
  #isChanged = false
  #isClosed = false
  #isPaused = false
  #heldBytes = 0
  #moving: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #timerMs = Number.POSITIVE_INFINITY

  constructor(lane: LaneTopic, partition: number, parts: LaneParts) {
    this.lane = lane
    this.partition = partition
    this.#parts = parts
    this.reader = new LaneReader(parts.member, lane, partition)
  }

  get isOverdue(): boolean {
    return this.#moving !== undefined || this.#heap.firstDueMs <= Date.now() || !this.reader.isAtEnd
  }

  open(checkpoint: LanePosition | undefined): void {
    if (checkpoint) {
      const { beyond } = decodeCheckpoint(checkpoint.offset, checkpoint.metadata) ?? { beyond: [] }
      this.#prefix = new CompletedPrefix(checkpoint.offset, beyond)
    }
    this.#isOpen = true
    this.reader.open(checkpoint?.offset)
  }

  takeBatch({ batch, resolveOffset }: EachBatchPayload): void {
    if (!this.#isOpen || this.#isClosed || this.#isPaused) return
    // Where it begins: nothing below was ever here.
    if (this.reader.offset < 0) this.#prefix.complete(0, Number(batch.firstOffset()))
    for (const message of batch.messages) {
      const offset = Number(message.offset)
      if (offset < this.reader.offset || this.#prefix.isCompleted(offset)) continue
      this.#heap.push({ dueMs: dueOf(message)?.dueMs ?? 0, message })
      this.#heldBytes += message.value?.length ?? 0
    }
    this.reader.readTo(Number(batch.lastOffset()) + 1)
    resolveOffset(batch.lastOffset())
    if (this.#heldBytes > HELD_BYTES_MAX || this.#heap.length > HELD_RECORDS_MAX) {
      this.#isPaused = true
      this.reader.pause()
    }
    this.#schedule()
  }

  changedPosition(): LanePosition | undefined {
    if (!this.#isChanged) return undefined
    this.#isChanged = false
    const { beyond, committed } = this.#prefix
    const none = { journal: 0, marks: 0, isReleased: false }
    let kept = beyond
    let metadata = encodeCheckpoint(committed, { ...none, beyond: kept })
    // What is left out is moved twice should this member crash: its turn is known then.
    while (metadata === undefined) {
      kept = kept.slice(0, kept.length >>> 1)
      metadata = encodeCheckpoint(committed, { ...none, beyond: kept })
    }
    return { offset: committed, metadata }
  }

  positionNotKept(): void {
    this.#isChanged = true
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#moving
  }

  #schedule(): void {
    const { firstDueMs } = this.#heap
    if (this.#isClosed || this.#moving || firstDueMs >= this.#timerMs || firstDueMs === Number.POSITIVE_INFINITY) return
    clearTimeout(this.#timer)
    this.#timerMs = firstDueMs
    this.#timer = setTimeout(() => this.#due(), Math.max(0, firstDueMs - Date.now()))
  }

  #due(): void {
    this.#timerMs = Number.POSITIVE_INFINITY
    this.#moving = this.#moveDue().finally(() => {
      this.#moving = undefined
      this.#schedule()
    })
  }

  async #moveDue(): Promise<void> {
    while (!this.#isClosed && this.#heap.firstDueMs <= Date.now()) {
      const due: KafkaMessage[] = []
      while (due.length < MOVE_RECORDS_MAX && this.#heap.firstDueMs <= Date.now()) {
        due.push((this.#heap.pop() as Held).message)
      }
      if (!(await sendMoved(movedOn(due, this.#parts), this.#parts, () => this.#isClosed))) return
      for (const { offset, value } of due) {
        this.#prefix.complete(Number(offset))
        this.#heldBytes -= value?.length ?? 0
      }
      this.#isChanged = true
      this.#makeRoom()
    }
  }

  #makeRoom(): void {
    if (!this.#isPaused || this.#heldBytes > HELD_BYTES_MAX / 2 || this.#heap.length > HELD_RECORDS_MAX / 2) return
    this.#isPaused = false
    this.reader.resume()
  }
}
