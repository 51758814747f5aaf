import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
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
  lost(partition: OwnedPartition): void
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
    const commit = this.#committing.then(() => this.#commit(partitions, isReleased))
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
      const { committed, text } = await this.#saved(partition, isReleased)
      // Too many holes: the checkpoint before holds, until some have closed.
      if (text === undefined) partition.isDirty = true
      else saved.push({ partition, committed, metadata: text })
    }
    if (saved.length === 0) return
    try {
      await member.commit(
        saved.map(({ committed, metadata, partition }) => ({
          topic: names.calls,
          partition: partition.partition,
          offset: String(committed),
          metadata,
        })),
      )
    } catch (error) {
      for (const { partition } of saved) partition.isDirty = true
      throw error
    }
    for (const { committed, partition } of saved) {
      partition.committed = committed
      this.#trimmer.below(names.calls, partition.partition, committed)
    }
  }

  /** The checkpoint of a partition, saved in the store if there is one. */
  async #saved(partition: OwnedPartition, isReleased: boolean) {
    const { checkpoints } = this.#parts.settings
    const checkpoint = partition.checkpoint(isReleased)
    if (!checkpoints || checkpoint.text === undefined) return checkpoint
    const { committed: offset, data } = checkpoint
    const key = `${this.#parts.groupId}/${partition.partition}`
    const content = { offset, beyond: data.beyond.map(([from, to]) => [from, to] as const), journal: journalText(data) }
    if ((await checkpoints.save(key, partition.epoch, content)) === 'refused') this.#parts.lost(partition)
    return checkpoint
  }
}
