import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@posthaste/core'
import type { Meanwhile } from './group-member-options.js'
import { OwnedPartition, type PartitionParts } from './owned-partition.js'
import { SETTLE_MS } from './takeover.js'

const RETRY_MS = 500

export interface OwnedPartitionsParts {
  readonly partition: PartitionParts
  readonly log: Log
  /** Nothing is taken over any more. */
  readonly stopping: AbortSignal
  /** Finds out what the last owners left, then opens them. */
  takeOver(taken: readonly OwnedPartition[]): Promise<void>
}

/** The partitions that a member of a group owns: takes over what it is given, and lets go of the rest. */
export class OwnedPartitions {
  readonly #parts: OwnedPartitionsParts
  readonly #owned = new Map<number, OwnedPartition>()
  /** Was owned, and is still recorded for a moment. */
  readonly #losing = new Set<OwnedPartition>()

  constructor(parts: OwnedPartitionsParts) {
    this.#parts = parts
  }

  /** The partition as it is owned now, if it is. */
  get(partition: number): OwnedPartition | undefined {
    return this.#owned.get(partition)
  }

  all(): Iterable<OwnedPartition> {
    return this.#owned.values()
  }

  /** Whether it has taken over `count` of them. */
  hasTaken(count: number): boolean {
    return this.#owned.size >= count && [...this.#owned.values()].every(({ state }) => state === 'owned')
  }

  /** The group gives these to the member from now on. */
  joined(slots: ReadonlySet<string>, meanwhile: Meanwhile): void {
    for (const partition of [...this.#owned.values()]) {
      if (meanwhile === 'kept' && slots.has(String(partition.partition))) partition.rejoined()
      // The next owner has waited for us already.
      else if (meanwhile === 'expelled') this.#lose(partition)
      else this.#giveUp(partition)
    }
    this.#own([...slots].map(Number).filter((number) => !this.#owned.has(number)))
  }

  /**
   * Another has claimed it in the store of checkpoints. If the group still gives it to this member, that was one who had
   * lost it and claimed late: it is taken over again, once it is certain that the group does.
   */
  refused(partition: OwnedPartition): void {
    const isOurs = this.#owned.get(partition.partition) === partition
    this.#lose(partition)
    if (isOurs && !this.#parts.stopping.aborted) this.#own([partition.partition])
  }

  loseAll(): void {
    for (const partition of [...this.#owned.values(), ...this.#losing]) this.#lose(partition)
  }

  #own(numbers: readonly number[]): void {
    const taken = numbers.map((number) => new OwnedPartition(number, this.#parts.partition))
    for (const partition of taken) this.#owned.set(partition.partition, partition)
    if (taken.length > 0) void this.#takeOver(taken)
  }

  async #takeOver(taken: readonly OwnedPartition[]): Promise<void> {
    const { log, partition, stopping } = this.#parts
    let left = taken
    for (let attempt = 1; left.length > 0 && !stopping.aborted; attempt += 1) {
      try {
        await this.#parts.takeOver(left)
        partition.changed()
        return
      } catch (error) {
        if (attempt === 3) log.warn({ err: error }, 'partitions cannot be taken over; trying again')
      }
      await sleep(RETRY_MS, undefined, { signal: stopping }).catch(() => undefined)
      left = left.filter(({ state }) => state === 'taking')
    }
  }

  #giveUp(partition: OwnedPartition): void {
    this.#owned.delete(partition.partition)
    partition.giveUp()
    this.#losing.add(partition)
    setTimeout(() => this.#lose(partition), SETTLE_MS).unref()
  }

  #lose(partition: OwnedPartition): void {
    this.#losing.delete(partition)
    if (this.#owned.get(partition.partition) === partition) this.#owned.delete(partition.partition)
    partition.lose()
  }
}
