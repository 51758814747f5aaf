import { randomUUID } from 'node:crypto'
import { PosthasteError } from '@posthaste/core'
import {
  Bell,
  type Followed,
  type FollowOptions,
  type LogName,
  type Position,
  type StoredRecord,
} from '@posthaste/stream'
import type { EachBatchPayload } from 'kafkajs'
import { slotsTogether } from './assignor.js'
import { Beats } from './beats.js'
import { GroupMember } from './group-member.js'
import { translate } from './kafka-errors.js'
import { checkedOutBy, stored } from './record-codec.js'
import type { StreamParts } from './stream-parts.js'
import { topicOf } from './topic-names.js'
import type { Marks } from './watermarks.js'

const FETCH_BYTES_MAX = 1024 * 1024
const FETCH_WAIT_MS = 100
/** Read ahead of whoever follows. */
const QUEUE_BYTES_MAX = 8 * 1024 * 1024
/** When nothing comes: how often to look whether what was to be read was trimmed meanwhile. */
const LOOK_MS = 500

interface Batch {
  readonly partition: number
  readonly records: readonly StoredRecord[]
  readonly next: number
  readonly bytes: number
}

/**
 * Reads a log from a position on: as the only member of a group of its own that never commits and is gone afterwards,
 * for the library reads in no other way.
 */
export class Follower {
  readonly #parts: StreamParts
  readonly #log: LogName
  readonly #topic: string
  readonly #groupId: string
  readonly #bell = new Bell()
  readonly #batches: Batch[] = []
  readonly #member: GroupMember
  /** Offset of the next record to read, and of the next to hand out, by partition. */
  readonly #readOffsets: number[] = []
  readonly #offsets: number[] = []
  #isPaused = false
  #bytes = 0

  constructor(parts: StreamParts, log: LogName) {
    this.#parts = parts
    this.#log = log
    this.#topic = topicOf(parts.names, log)
    this.#groupId = `${parts.settings.prefix}.follow.${randomUUID()}`
    this.#member = new GroupMember({
      client: parts.client,
      admin: parts.admin,
      groupId: this.#groupId,
      topics: [this.#topic],
      slots: slotsTogether([this.#topic], parts.topics.logPartitions[log]),
      member: '',
      sessionTimeoutMs: parts.settings.sessionTimeoutMs,
      bytesPerPartitionMax: FETCH_BYTES_MAX,
      fetchWaitMs: FETCH_WAIT_MS,
      log: parts.settings.log,
      events: {
        joined: () => this.#joined(),
        left: () => undefined,
        batch: (payload) => this.#takeBatch(payload),
        nothing: (_, partition, next) => this.#take({ partition, records: [], next, bytes: 0 }),
      },
    })
  }

  async *run(from: Position | 'start', options: FollowOptions & { signal: AbortSignal }): AsyncGenerator<Followed> {
    const { beats: wantsBeats = false, signal, untilEnd = false } = options
    const askMarks = (): Promise<Marks> => this.#parts.watermarks.of(this.#topic)
    const marks = await askMarks().catch((error: unknown) => {
      throw translate(error)
    })
    const ends = new Map([...marks].map(([partition, { high }]) => [partition, high]))
    const given = from === 'start' ? [] : readPosition(from)
    let hasGap = [...marks].some(([partition, { low }]) => (given[partition] ?? low) < low)
    for (const [partition, { high, low }] of marks) {
      // What was trimmed meanwhile is passed over; what lies beyond the end was never there.
      this.#offsets[partition] = Math.min(high, Math.max(low, given[partition] ?? 0))
      this.#readOffsets[partition] = this.#offsets[partition] as number
    }
    const isAtEnd = (): boolean => this.#offsets.every((offset, partition) => offset >= (ends.get(partition) ?? 0))
    if (untilEnd && isAtEnd()) return
    this.#member.start()
    const beats = new Beats(askMarks, (marks) => {
      this.#pass(marks)
      this.#bell.ring()
    })
    if (wantsBeats) beats.start()
    try {
      while (!signal.aborted && !(untilEnd && isAtEnd())) {
        const asOfMs = beats.take(this.#offsets)
        if (asOfMs !== undefined) {
          yield { records: [], position: this.#position, asOfMs }
          continue
        }
        const batch = this.#next()
        if (!batch) {
          if (!(await this.#bell.wait(LOOK_MS, signal))) await askMarks().then((marks) => this.#pass(marks), ignore)
          continue
        }
        const end = untilEnd ? (ends.get(batch.partition) ?? 0) : Number.POSITIVE_INFINITY
        const records = batch.next > end ? batch.records.filter(({ offset }) => offset < end) : batch.records
        this.#offsets[batch.partition] = Math.min(batch.next, Math.max(end, this.#offsets[batch.partition] as number))
        if (records.length === 0) continue
        yield { records, position: this.#position, ...(hasGap && { hasGap }) }
        hasGap = false
      }
    } finally {
      beats.stop()
      await this.#member.stop()
      await this.#parts.admin.deleteGroups([this.#groupId]).catch(() => undefined)
    }
  }

  get #position(): Position {
    return JSON.stringify(this.#offsets)
  }

  /** Passes over what was trimmed. */
  #pass(marks: Marks): void {
    for (const [partition, { low }] of marks) {
      if (this.#batches.length > 0 || (this.#offsets[partition] ?? 0) >= low) continue
      this.#offsets[partition] = low
      this.#readOffsets[partition] = Math.max(low, this.#readOffsets[partition] ?? 0)
    }
  }

  #joined(): void {
    for (const [partition, offset] of this.#readOffsets.entries()) this.#member.seek(this.#topic, partition, offset)
    if (this.#isPaused) this.#pauseAll()
  }

  #takeBatch({ batch, resolveOffset }: EachBatchPayload): void {
    if (this.#isPaused) return
    const { partition } = batch
    const from = this.#readOffsets[partition] ?? 0
    const records: StoredRecord[] = []
    let bytes = 0
    for (const message of batch.messages) {
      if (Number(message.offset) < from || checkedOutBy(message) !== undefined) continue
      const record = stored(this.#log, partition, message)
      records.push(record)
      bytes += record.value.length
    }
    const next = Math.max(from, Number(batch.lastOffset()) + 1)
    resolveOffset(batch.lastOffset())
    this.#take({ partition, records, next, bytes })
  }

  #take(batch: Batch): void {
    const { bytes, next, partition } = batch
    if (next <= (this.#readOffsets[partition] ?? 0)) return
    this.#readOffsets[partition] = next
    this.#batches.push(batch)
    this.#bytes += bytes
    if (this.#bytes > QUEUE_BYTES_MAX) this.#pauseAll()
    this.#bell.ring()
  }

  #next(): Batch | undefined {
    const batch = this.#batches.shift()
    if (!batch) return undefined
    this.#bytes -= batch.bytes
    if (this.#isPaused && this.#bytes < QUEUE_BYTES_MAX / 2) {
      this.#isPaused = false
      for (const partition of this.#readOffsets.keys()) this.#member.resume(this.#topic, partition)
    }
    return batch
  }

  #pauseAll(): void {
    this.#isPaused = true
    for (const partition of this.#readOffsets.keys()) this.#member.pause(this.#topic, partition)
  }
}

function ignore(): void {}

function readPosition(position: Position): number[] {
  try {
    const offsets: unknown = JSON.parse(position)
    if (Array.isArray(offsets) && offsets.every(Number.isSafeInteger)) return offsets as number[]
  } catch {
    // Falls through to the error below.
  }
  throw new PosthasteError('internal', `"${position}" is not a position of this log.`)
}
