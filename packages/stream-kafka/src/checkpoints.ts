import { setTimeout as sleep } from 'node:timers/promises'
import type { Saved } from '@posthaste/storage'
import type { Admin } from 'kafkajs'
import type { CheckpointData } from './checkpoint-codec.js'
import type { GroupMember } from './group-member.js'
import type { Settings } from './kafka-options.js'
import type { OwnedPartition } from './owned-partition.js'
import { journalText } from './takeover.js'
import type { TopicNames } from './topic-names.js'
import { Trimmer } from './trimmer.js'
import type { Watermarks } from './watermarks.js'

/** How long the last commit may take. */
const LAST_COMMIT_MS = 5_000

export interface CheckpointParts {
  readonly settings: Settings
  readonly admin: Admin
  readonly watermarks: Watermarks
  readonly names: TopicNames
  readonly groupId: string
  readonly member: GroupMember
  owned(): Iterable<OwnedPartition>
  /** A store refused a checkpoint: another has claimed the partition. */
  refused(partition: OwnedPartition): void
}

/** Commits how far the partitions of a member have come, and removes what is below. */
export class Checkpoints {
  readonly #parts: CheckpointParts
  readonly #trimmer: Trimmer
  #timer: NodeJS.Timeout | undefined
  #committing: Promise<void> = Promise.resolve()
  #isBusy = false

  constructor(parts: CheckpointParts) {
    this.#parts = parts
    this.#trimmer = new Trimmer(parts)
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), this.#parts.settings.commitEveryMs)
    this.#trimmer.start()
  }

  /** Commits for the last time, and says that nobody works on anything any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#trimmer.stop()
    const owned = [...this.#parts.owned()].filter(({ state }) => state === 'owned')
    const abort = new AbortController()
    const commit = this.commit(owned, true).catch((error: unknown) => {
      this.#parts.settings.log.warn({ err: error }, 'the last checkpoint could not be committed')
    })
    const trim = commit.then(() => this.#trimmer.trim())
    await Promise.race([trim, sleep(LAST_COMMIT_MS, undefined, abort).catch(() => undefined)])
    abort.abort()
  }

  /** Commits these, after what is being committed. */
  commit(partitions: readonly OwnedPartition[], isReleased = false): Promise<void> {
    const commit = this.#committing
      .then(() => this.#commit(partitions, isReleased))
      .catch((error: unknown) => {
        for (const partition of partitions) partition.isDirty = true
        throw error
      })
    this.#committing = commit.catch(() => undefined)
    return commit
  }

  #tick(): void {
    // A broker that is slow must not have commits pile up.
    if (this.#isBusy) return
    const dirty = [...this.#parts.owned()].filter(({ isDirty, state }) => isDirty && state === 'owned')
    if (dirty.length === 0) return
    this.#isBusy = true
    this.commit(dirty)
      // A rebalance is under way, or the broker away: the next time is good enough.
      .catch((error: unknown) => this.#parts.settings.log.debug({ err: error }, 'checkpoints cannot be committed now'))
      .finally(() => {
        this.#isBusy = false
      })
  }

  async #commit(partitions: readonly OwnedPartition[], isReleased: boolean): Promise<void> {
    const { member, names } = this.#parts
    const saved: { partition: OwnedPartition; committed: number; metadata: string }[] = []
    for (const partition of partitions) {
      if (partition.state === 'lost' || partition.state === 'losing') continue
      partition.isDirty = false
      const { committed, data, text } = partition.checkpoint(isReleased)
      // Too many holes: the checkpoint before holds, until some have closed.
      if (text === undefined) partition.isDirty = true
      else if ((await this.#save(partition, committed, data)) === 'refused') this.#parts.refused(partition)
      else saved.push({ partition, committed, metadata: text })
    }
    if (saved.length === 0) return
    await member.commit(
      saved.map(({ committed, metadata, partition }) => ({
        topic: names.calls,
        partition: partition.partition,
        offset: String(committed),
        metadata,
      })),
    )
    for (const { committed, partition } of saved) {
      partition.committed = committed
      this.#trimmer.below(names.calls, partition.partition, committed)
    }
  }

  /** In the store, if there is one. */
  async #save(partition: OwnedPartition, offset: number, data: CheckpointData): Promise<Saved> {
    const { checkpoints } = this.#parts.settings
    if (!checkpoints) return 'saved'
    const key = `${this.#parts.groupId}/${partition.partition}`
    // A copy: the ranges go on changing while it is saved.
    const beyond = data.beyond.map(([from, to]) => [from, to] as const)
    return checkpoints.save(key, partition.epoch, { offset, beyond, journal: journalText(data) })
  }
}
