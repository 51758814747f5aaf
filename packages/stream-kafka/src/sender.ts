import { setTimeout as sleep } from 'node:timers/promises'
import type { PosthasteError } from '@posthaste/core'
import type { Producer, RecordMetadata } from 'kafkajs'
import type { Availability } from './availability.js'
import { isMoving, translate } from './kafka-errors.js'
import { bytesOf, type Outgoing } from './record-codec.js'

/** Of records sent together: all may be of one partition, and the library's effort grows with the square of their number. */
const GROUP_RECORDS_MAX = 2_000
/** How long a broker may take to have a record on all replicas. */
const ACKNOWLEDGE_MS = 10_000
/** A leader that has moved is found within this many attempts. */
const ATTEMPTS_MAX = 5
const RETRY_MS = 100

/**
 * Sends what comes at one time as one request, and one request at a time, so that records keep their order. What comes
 * meanwhile waits, so requests grow with the load.
 */
export class Sender {
  readonly #producer: Producer
  readonly #availability: Availability
  /** All of a group may be of one partition, and stand in one batch there, which the broker limits. */
  readonly #groupBytesMax: number
  readonly #waiting: Group[] = []
  #sending: Promise<void> | undefined
  #heldRecords = 0
  #heldBytes = 0

  constructor(producer: Producer, availability: Availability, groupBytesMax: number) {
    this.#producer = producer
    this.#availability = availability
    this.#groupBytesMax = groupBytesMax
  }

  get heldRecords(): number {
    return this.#heldRecords
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Resolves once all are stored on all replicas that must have them; their offsets are set then. Rejects with a PosthasteError. */
  send(records: readonly Outgoing[]): Promise<void> {
    let sent: Promise<void>[] = []
    let last: Group | undefined
    for (const record of records) {
      const group = this.#groupFor(bytesOf(record))
      group.records.push(record)
      if (group !== last) sent = [...sent, group.sent]
      last = group
    }
    if (!last) return Promise.resolve()
    this.#heldRecords += records.length
    this.#sending ??= this.#sendAll()
    return sent.length === 1 ? last.sent : Promise.all(sent).then(() => undefined)
  }

  /** Resolves when nothing waits or is under way any more. */
  async idle(): Promise<void> {
    while (this.#sending) await this.#sending
  }

  /** Rejects what is not under way yet. */
  reject(error: PosthasteError): void {
    for (const group of this.#waiting.splice(0)) this.#settle(group, error)
  }

  /** The last group that waits if it has room, else a new one. */
  #groupFor(bytes: number): Group {
    let group = this.#waiting.at(-1)
    if (!group || group.records.length >= GROUP_RECORDS_MAX || group.bytes + bytes > this.#groupBytesMax) {
      group = new Group()
      this.#waiting.push(group)
    }
    group.bytes += bytes
    this.#heldBytes += bytes
    return group
  }

  async #sendAll(): Promise<void> {
    // A turn later, so that what comes in one turn of the event loop shares a request.
    await Promise.resolve()
    try {
      for (let group = this.#waiting.shift(); group; group = this.#waiting.shift()) await this.#send(group)
    } finally {
      this.#sending = undefined
    }
  }

  async #send(group: Group): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const placed = await this.#producer.sendBatch({
          acks: -1,
          timeout: ACKNOWLEDGE_MS,
          topicMessages: messagesByTopic(group.records),
        })
        setOffsets(group.records, placed)
        this.#availability.worked()
        return this.#settle(group)
      } catch (error) {
        if (!isMoving(error) || attempt === ATTEMPTS_MAX) {
          this.#availability.failed(error)
          return this.#settle(group, translate(error))
        }
      }
      await sleep(RETRY_MS)
    }
  }

  #settle(group: Group, error?: PosthasteError): void {
    this.#heldRecords -= group.records.length
    this.#heldBytes -= group.bytes
    if (error) group.reject(error)
    else group.resolve()
  }
}

/** Records that are sent together. */
class Group {
  readonly records: Outgoing[] = []
  bytes = 0
  readonly sent: Promise<void>
  resolve!: () => void
  reject!: (error: PosthasteError) => void

  constructor() {
    this.sent = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }
}

function messagesByTopic(records: readonly Outgoing[]): { topic: string; messages: Outgoing[] }[] {
  const byTopic = new Map<string, Outgoing[]>()
  for (const record of records) {
    const messages = byTopic.get(record.topic)
    if (messages) messages.push(record)
    else byTopic.set(record.topic, [record])
  }
  return [...byTopic].map(([topic, messages]) => ({ topic, messages }))
}

/** Those of one partition stand in the order in which they were sent, from the offset that the broker tells. */
function setOffsets(records: readonly Outgoing[], placed: readonly RecordMetadata[]): void {
  const next = new Map<string, number[]>()
  for (const { topicName, partition, baseOffset } of placed) {
    const offsets = next.get(topicName) ?? []
    offsets[partition] = Number(baseOffset)
    next.set(topicName, offsets)
  }
  for (const record of records) {
    const offsets = next.get(record.topic)
    const offset = offsets?.[record.partition]
    if (offsets === undefined || offset === undefined) continue
    record.offset = offset
    offsets[record.partition] = offset + 1
  }
}
