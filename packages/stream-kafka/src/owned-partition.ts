import { randomUUID } from 'node:crypto'
import { CompletedPrefix } from '@posthaste/stream'
import type { EachBatchPayload, KafkaMessage } from 'kafkajs'
import { type CheckpointData, encodeCheckpoint } from './checkpoint-codec.js'
import type { GroupMember } from './group-member.js'
import type { KafkaDelivery } from './kafka-delivery.js'
import { Ledger } from './ledger.js'
import { aboutOf, checkedOutBy, stored, watchedBy } from './record-codec.js'
import { type Queued, type QueuedWatchdog, RecordQueue } from './record-queue.js'
import type { TopicNames } from './topic-names.js'

/** Read ahead, a partition. */
const QUEUE_RECORDS_MAX = 1_000
const QUEUE_BYTES_MAX = 4 * 1024 * 1024
const READ_LOOK_MS = 1_000
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
export interface PartitionParts {
  readonly member: GroupMember
  readonly topics: TopicNames
  /** A record can be pulled. */
  readonly changed: () => void
  /** Where the journal of a partition begins. */
  readonly journalLow: (partition: number) => Promise<number>
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
  #reading: Reading | undefined
  #lastRead: Promise<void> = Promise.resolve()
  #reads = 0

  constructor(partition: number, parts: PartitionParts) {
    this.partition = partition
    this.#parts = parts
    this.ledger = new Ledger(this.writer, 0)
    const { member, topics } = parts
    member.pause(topics.calls, partition)
    member.pause(topics.journal, partition)
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
    if (this.#reading) member.seek(topics.journal, this.partition, this.#reading.offset)
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

  /** Reads the journal from one offset to before another into the ledger. One at a time, in order of the calls. */
  readJournal(from: number, to: number): Promise<void> {
    this.#reads += 1
    this.#lastRead = this.#lastRead
      .then(() => this.#readJournal(from, to))
      .finally(() => {
        this.#reads -= 1
      })
    return this.#lastRead
  }

  /** The journal being read, if it is. */
  get journalRead(): Promise<void> | undefined {
    return this.#reads > 0 ? this.#lastRead : undefined
  }

  takeJournalBatch({ batch, resolveOffset }: EachBatchPayload): void {
    const reading = this.#reading
    if (!reading) return
    for (const message of batch.messages) {
      const offset = Number(message.offset)
      if (offset >= reading.offset && offset < reading.to) this.#takeEntry(offset, message)
    }
    reading.offset = Number(batch.lastOffset()) + 1
    resolveOffset(batch.lastOffset())
    if (reading.offset >= reading.to) this.#endReading()
  }

  #takeEntry(offset: number, message: KafkaMessage): void {
    const isInherited = this.state === 'taking'
    const checkedOut = checkedOutBy(message)
    if (checkedOut !== undefined) {
      this.ledger.foundOut(offset, checkedOut, isInherited)
      return
    }
    const turn = stored('journal', this.partition, message)
    this.ledger.found({ offset, turn, value: turn.value, about: aboutOf(message) }, isInherited)
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
    this.#endReading()
  }

  /** Another works on it. */
  lose(): void {
    this.lostMs ??= performance.now()
    this.state = 'lost'
    this.#endReading()
    for (const delivery of this.deliveries) delivery.lose()
    this.deliveries.clear()
  }

  async #readJournal(first: number, to: number): Promise<void> {
    // Several may have asked for the same at one time.
    const from = Math.max(first, this.ledger.readEnd)
    if (from >= to || this.state === 'lost') return
    const { member, topics } = this.#parts
    let look: NodeJS.Timeout | undefined
    await new Promise<void>((ended) => {
      this.#reading = { offset: from, to, ended }
      member.seek(topics.journal, this.partition, from)
      member.resume(topics.journal, this.partition)
      look = setInterval(() => void this.#passTrimmed(), READ_LOOK_MS)
    })
    clearInterval(look)
    this.ledger.readTo(to)
  }

  /** What was to be read may have gone meanwhile, by its age. */
  async #passTrimmed(): Promise<void> {
    const low = await this.#parts.journalLow(this.partition).catch(() => 0)
    if (this.#reading && low >= this.#reading.to) this.#endReading()
  }

  #endReading(): void {
    if (!this.#reading) return
    const { ended } = this.#reading
    this.#reading = undefined
    this.#parts.member.pause(this.#parts.topics.journal, this.partition)
    ended()
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

/** The journal being read. */
interface Reading {
  offset: number
  readonly to: number
  readonly ended: () => void
}
