import type { GroupMember } from './group-member.js'
import type { LaneTopic } from './topic-names.js'

/** After so many fetches that brought nothing there is nothing. */
const EMPTY_FETCHES = 3

/** Where a partition of a lane is read. Paused until it is opened. */
export class LaneReader {
  readonly #member: GroupMember
  readonly #topic: string
  readonly #partition: number
  #offset = -1
  #emptyFetches = 0

  constructor(member: GroupMember, { topic }: LaneTopic, partition: number) {
    this.#member = member
    this.#topic = topic
    this.#partition = partition
    this.pause()
  }

  /** Of the next record to read; -1 if it is not known. */
  get offset(): number {
    return this.#offset
  }

  /** Whether nothing has come for so long that nothing is there. */
  get isAtEnd(): boolean {
    return this.#emptyFetches >= EMPTY_FETCHES
  }

  /** Begins to read, at `offset` if it is given: else the library begins at the start. */
  open(offset: number | undefined): void {
    // Not left to the library: it may still have in mind where this lane was sought when it was here before.
    if (offset !== undefined) this.seek(offset)
    this.resume()
  }

  seek(offset: number): void {
    this.#offset = offset
    this.#member.seek(this.#topic, this.#partition, offset)
  }

  pause(): void {
    this.#member.pause(this.#topic, this.#partition)
  }

  resume(): void {
    this.#emptyFetches = 0
    this.#member.resume(this.#topic, this.#partition)
  }

  /** Everything below `offset` was read. */
  readTo(offset: number): void {
    this.#offset = offset
  }

  /** A fetch begins. */
  fetching(): void {
    this.#emptyFetches += 1
  }

  /** After a rebalance everything is read from committed offsets, unless it is sought. */
  rejoined(): void {
    if (this.#offset >= 0) this.seek(this.#offset)
  }
}
