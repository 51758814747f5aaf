import type { EachBatchPayload, KafkaMessage } from 'kafkajs'
import type { GroupMember } from './group-member.js'
import type { Ledger } from './ledger.js'
import type { OwnerState } from './owned-partition.js'
import { aboutOf, actedBy, checkedOutBy, isNote, stored } from './record-codec.js'
import type { TopicNames } from './topic-names.js'

const READ_LOOK_MS = 1_000

/** What the reading of a journal needs of its consumer. */
export interface JournalParts {
  readonly member: GroupMember
  readonly topics: TopicNames
  /** Where the journal of a partition begins. */
  readonly journalLow: (partition: number) => Promise<number>
}

/** The partition whose journal is read, as it is now. */
interface Owner {
  readonly partition: number
  readonly state: OwnerState
  readonly ledger: Ledger
}

/** Reads the journal of an owned partition: what others wrote into the ledger, and single values. One after the other. */
export class JournalReader {
  readonly #owner: Owner
  readonly #parts: JournalParts
  #reading: Reading | undefined
  #lastRead: Promise<void> = Promise.resolve()
  #reads = 0
  /** Whether everything was read that was to be. */
  #isWhole = true

  constructor(owner: Owner, parts: JournalParts) {
    this.#owner = owner
    this.#parts = parts
    parts.member.pause(parts.topics.journal, owner.partition)
  }

  /** Reads from one offset to before another into the ledger, unless the partition is lost before. */
  read(from: number, to: number): Promise<void> {
    return this.#queue(() => this.#readOn(from, to))
  }

  /**
   * Takes note that what was written here is stored at `offsets`. Where the journal goes on from is known, so a gap before
   * them means that another wrote there: an owner of before, late. Then the gap is read. Resolves false if the partition
   * was lost before all was known that stands before them.
   */
  async stored(offsets: readonly number[]): Promise<boolean> {
    const { ledger } = this.#owner
    const { end } = ledger
    const first = offsets[0] ?? end
    for (const offset of offsets) ledger.stored(offset)
    if (first > end) await this.read(end, first)
    else if (this.#reads > 0) await this.#lastRead
    return this.#isWhole
  }

  /** The value that stands at `offset`; undefined if it is there no more, or the partition was lost. */
  async valueAt(offset: number): Promise<Uint8Array | undefined> {
    let value: Uint8Array | undefined
    await this.#queue(async () => {
      await this.#fetch(offset, offset + 1, (_, message) => {
        value = stored('journal', this.#owner.partition, message).value
      })
    })
    return value
  }

  takeBatch({ batch, isStale, resolveOffset }: EachBatchPayload): void {
    const reading = this.#reading
    // What was fetched for the one before may come after this one was sought.
    if (!reading || isStale()) return
    for (const message of batch.messages) {
      const offset = Number(message.offset)
      if (offset >= reading.offset && offset < reading.to) reading.take(offset, message)
    }
    reading.offset = Number(batch.lastOffset()) + 1
    resolveOffset(batch.lastOffset())
    if (reading.offset >= reading.to) this.#end(true)
  }

  /** After a rebalance everything is read from committed offsets, unless it is sought. */
  rejoined(): void {
    const { member, topics } = this.#parts
    if (this.#reading) member.seek(topics.journal, this.#owner.partition, this.#reading.offset)
  }

  /** The partition is lost: nothing more can be read. */
  giveUp(): void {
    this.#end(false)
  }

  #queue(read: () => Promise<void>): Promise<void> {
    this.#reads += 1
    this.#lastRead = this.#lastRead.then(read).finally(() => {
      this.#reads -= 1
    })
    return this.#lastRead
  }

  async #readOn(first: number, to: number): Promise<void> {
    const { ledger } = this.#owner
    // Several may have asked for the same at one time.
    const from = Math.max(first, ledger.readEnd)
    if (from >= to) return
    if (await this.#fetch(from, to, (offset, message) => this.#take(offset, message))) ledger.readTo(to)
    else this.#isWhole = false
  }

  #take(offset: number, message: KafkaMessage): void {
    const { ledger, partition, state } = this.#owner
    const isInherited = state === 'taking'
    const checkedOut = checkedOutBy(message)
    const writer = actedBy(message)
    const turn = stored('journal', partition, message)
    if (checkedOut !== undefined) ledger.foundOut(offset, checkedOut, isInherited)
    else if (isNote(message)) ledger.foundNote(offset)
    else if (writer !== undefined) ledger.foundActed(turn, offset, writer)
    else ledger.found({ offset, turn, value: turn.value, about: aboutOf(message) }, isInherited)
  }

  /** Resolves false if the partition was lost before. */
  async #fetch(from: number, to: number, take: Reading['take']): Promise<boolean> {
    const { partition, state } = this.#owner
    if (state === 'losing' || state === 'lost') return false
    const { member, topics } = this.#parts
    let look: NodeJS.Timeout | undefined
    const isRead = await new Promise<boolean>((ended) => {
      this.#reading = { offset: from, to, take, ended }
      member.seek(topics.journal, partition, from)
      member.resume(topics.journal, partition)
      look = setInterval(() => void this.#passTrimmed(), READ_LOOK_MS)
    })
    clearInterval(look)
    return isRead
  }

  /** What was to be read may have gone meanwhile, by its age. */
  async #passTrimmed(): Promise<void> {
    const reading = this.#reading
    const low = await this.#parts.journalLow(this.#owner.partition).catch(() => 0)
    if (reading && reading === this.#reading && low >= reading.to) this.#end(true)
  }

  #end(isRead: boolean): void {
    if (!this.#reading) return
    const { ended } = this.#reading
    this.#reading = undefined
    this.#parts.member.pause(this.#parts.topics.journal, this.#owner.partition)
    ended(isRead)
  }
}

/** What is being read. */
interface Reading {
  offset: number
  readonly to: number
  readonly take: (offset: number, message: KafkaMessage) => void
  readonly ended: (isRead: boolean) => void
}
