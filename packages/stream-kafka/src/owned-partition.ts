import { randomUUID } from 'node:crypto'
import { CompletedPrefix } from '@posthaste/stream'
import type { EachBatchPayload, KafkaMessage } from 'kafkajs'
import { type CheckpointData, encodeCheckpoint } from './checkpoint-codec.js'
import { type JournalParts, JournalReader } from './journal-reader.js'
import type { KafkaDelivery } from './kafka-delivery.js'
import { Ledger } from './ledger.js'
import { OneByOne } from './one-by-one.js'
import { stored, watchedBy } from './record-codec.js'
import { type Queued, type QueuedWatchdog, RecordQueue } from './record-queue.js'

/** Read ahead, a partition. */
const QUEUE_RECORDS_MAX = 1_000
const QUEUE_BYTES_MAX = 4 * 1024 * 1024
/** Holes in what is completed, beyond which nothing new is delivered: the checkpoint could not hold them. */
const RANGES_MAX = 400

/**
 * - `taking`: it was assigned, and what its last owner left is found out.
 * - `owned`: its records are delivered.
 * - `losing`: it was assigned to another, who waits a moment; what is in work here may end.
 * - `lost`: another works on it.
 */
export type OwnerState = 'taking' | 'owned' | 'losing' | 'lost'

/** What an owned partition needs of its consumer. */
export interface PartitionParts extends JournalParts {
  /** A record can be pulled. */
  readonly changed: () => void
  /** A watchdog came. */
  readonly watchdogCame: (partition: OwnedPartition, watchdog: QueuedWatchdog, message: KafkaMessage) => void
}

/** A partition of `calls` and of the journal, from its assignment to this member until it is lost. */
export class OwnedPartition {
  readonly partition: number
  /** Tells what is written under this ownership from what others wrote, and this member before. */
  readonly writer = randomUUID().slice(0, 8)
  state: OwnerState = 'taking'
  /** Deliveries whose record is not completed. */
  readonly deliveries = new Set<KafkaDelivery>()
  /** What is done for turns without a delivery, by their text. */
  readonly acts = new OneByOne()
  readonly journal: JournalReader
  prefix = new CompletedPrefix(0)
  ledger: Ledger
  /** In the store of checkpoints, if there is one. */
  epoch = 0
  /** Where `calls` ended when it was taken. */
  inheritedEnd = 0
  /** Whether the checkpoint is to be committed. */
  isDirty = false
  /** Since when another may own it, by `performance.now`. */
  lostMs: number | undefined
  /** The committed offset that the broker has; -1 if none. */
  committed = -1
  readonly #parts: PartitionParts
  readonly #queue = new RecordQueue()
  /** Offset of the next record to read. */
  #readOffset = 0
  #isPaused = true
  #isCrowded = false

  constructor(partition: number, parts: PartitionParts) {
    this.partition = partition
    this.#parts = parts
    this.ledger = new Ledger(this.writer, 0)
    this.journal = new JournalReader(this, parts)
    parts.member.pause(parts.topics.calls, partition)
  }

  /** Whether something can be pulled. */
  get hasNext(): boolean {
    return (
      this.state === 'owned' && this.#queue.length > 0 && !this.#isCrowded && this.prefix.beyond.length < RANGES_MAX
    )
  }

  /** Begins to read `calls`, once it is known where, and what of it is completed. */
  open(): void {
    this.state = 'owned'
    for (const at of this.ledger.takeInheritedOut()) this.complete(at)
    this.#readOffset = this.prefix.committed
    const { member, topics } = this.#parts
    member.seek(topics.calls, this.partition, this.#readOffset)
    this.#resume()
  }

  /** After a rebalance everything is read from committed offsets, unless it is sought. */
  rejoined(): void {
    const { member, topics } = this.#parts
    if (this.state === 'owned') member.seek(topics.calls, this.partition, this.#readOffset)
    this.journal.rejoined()
  }

  takeBatch({ batch, resolveOffset }: EachBatchPayload): void {
    // What a fetch brings that began before the partition was taken is not what was sought.
    if (this.state !== 'owned' || this.#isPaused) return
    for (const message of batch.messages) {
      const offset = Number(message.offset)
      if (offset < this.#readOffset) continue
      this.#passTo(offset)
      this.#readOffset = offset + 1
      if (this.prefix.isCompleted(offset)) continue
      const watched = watchedBy(message)
      const record = stored('calls', this.partition, message)
      if (watched) this.#parts.watchdogCame(this, { record, watched }, message)
      else this.#queue.push({ record, watched })
    }
    this.#passTo(Number(batch.lastOffset()) + 1)
    resolveOffset(batch.lastOffset())
    if (this.#queue.length >= QUEUE_RECORDS_MAX || this.#queue.bytes >= QUEUE_BYTES_MAX) this.#pause()
    this.#parts.changed()
  }

  /** There are no records up to `offset`: others may have removed some, and the marks of transactions are none. */
  #passTo(offset: number): void {
    if (offset <= this.#readOffset) return
    this.complete(this.#readOffset, offset)
    this.#readOffset = offset
  }

  /** The next record that is not completed. */
  next(): Queued | undefined {
    for (;;) {
      const queued = this.#queue.shift()
      if (this.#isPaused && this.#queue.length < QUEUE_RECORDS_MAX / 2 && this.#queue.bytes < QUEUE_BYTES_MAX / 2) {
        this.#resume()
      }
      if (!queued || !this.prefix.isCompleted(queued.record.offset)) return queued
    }
  }

  /** Delivers it, before all others. */
  deliver(queued: Queued): void {
    this.#queue.unshift(queued)
    this.#parts.changed()
  }

  complete(offset: number, end = offset + 1): void {
    this.prefix.complete(offset, end)
    this.isDirty = true
  }

  /** The value of the entry that tells how a turn ended, if that is known and still there. */
  async endOf(turn: string): Promise<Uint8Array | undefined> {
    const end = this.ledger.endOf(turn)
    if (typeof end !== 'number') return end
    const value = await this.journal.valueAt(end)
    if (value === undefined && this.state === 'owned') this.ledger.forget(turn)
    return value
  }

  /** The checkpoint as it is now; its text is undefined if there are too many holes, which ends delivering for a while. */
  checkpoint(isReleased: boolean): { committed: number; data: CheckpointData; text: string | undefined } {
    this.ledger.expire((at) => this.prefix.isCompleted(at), this.prefix.committed >= this.inheritedEnd)
    const { beyond, committed } = this.prefix
    const { marks, position: journal } = this.ledger
    const data = { beyond, journal, marks, isReleased }
    const text = encodeCheckpoint(committed, data)
    this.#isCrowded = text === undefined
    return { committed, data, text }
  }

  /** It was given to another, who waits a moment for what is in work here. */
  giveUp(): void {
    this.lostMs = performance.now()
    this.state = this.state === 'owned' ? 'losing' : 'lost'
    this.journal.giveUp()
  }

  /** Another works on it. */
  lose(): void {
    this.lostMs ??= performance.now()
    this.state = 'lost'
    this.journal.giveUp()
    for (const delivery of this.deliveries) delivery.lose()
    this.deliveries.clear()
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#parts.member.pause(this.#parts.topics.calls, this.partition)
  }

  #resume(): void {
    this.#isPaused = false
    this.#parts.member.resume(this.#parts.topics.calls, this.partition)
  }
}
