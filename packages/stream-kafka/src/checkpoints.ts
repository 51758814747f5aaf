import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import type { CheckpointData } from './checkpoint-codec.js'
import type { GroupMember } from './group-member.js'
import { inParallel } from './in-parallel.js'
import type { Settings } from './kafka-options.js'
import type { OwnedPartition } from './owned-partition.js'
import { journalText } from './takeover.js'
import type { TopicNames } from './topic-names.js'
import { Trimmer } from './trimmer.js'
import type { Watermarks } from './watermarks.js'

/** How long the last commit may take. */
const LAST_COMMIT_MS = 5_000
/** So many partitions are saved in a store at a time. */
const SAVES_MAX = 8
/** A rebalance is over by then, and a leader has moved: what fails for longer is told. */
const TOLD_AFTER_MS = 5_000

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
  #failingSinceMs: number | undefined
  #isTold = false

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
    const trim = commit.then(() => this.#trimmer.trimAll())
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
      .then(
        () => this.#worked(),
        (error: unknown) => this.#failed(error),
      )
      .finally(() => {
        this.#isBusy = false
      })
  }

  #worked(): void {
    this.#failingSinceMs = undefined
    if (this.#isTold) this.#parts.settings.log.info({}, 'checkpoints are committed again')
    this.#isTold = false
  }

  /** The next time is good enough, and what lasts is told once. */
  #failed(error: unknown): void {
    this.#failingSinceMs ??= performance.now()
    const isNews = !this.#isTold && performance.now() - this.#failingSinceMs >= TOLD_AFTER_MS
    this.#isTold ||= isNews
    const { log } = this.#parts.settings
    log[isNews ? 'warn' : 'debug']({ err: error }, 'checkpoints cannot be committed; trying again')
  }

  /** What cannot be saved keeps nothing else from being committed. */
  async #commit(partitions: readonly OwnedPartition[], isReleased: boolean): Promise<void> {
    const saved: SavedCheckpoint[] = []
    const save = async (partition: OwnedPartition): Promise<void> => {
      if (!isOurs(partition)) return
      const checkpoint = await this.#save(partition, isReleased)
      if (checkpoint) saved.push(checkpoint)
    }
    try {
      await inParallel(partitions, SAVES_MAX, save)
    } finally {
      // Some may have gone to another meanwhile, whose offset is not to be replaced: the group takes it of any member.
      await this.#tellGroup(saved.filter(({ partition }) => isOurs(partition)))
    }
  }

  /** In the store, if there is one. Undefined if the group is not to be told. */
  async #save(partition: OwnedPartition, isReleased: boolean): Promise<SavedCheckpoint | undefined> {
    partition.isDirty = false
    const { committed, data, text } = partition.checkpoint(isReleased)
    if (text === undefined) {
      // Too many holes: the checkpoint before holds, until some have closed.
      partition.isDirty = true
      return undefined
    }
    if (await this.#store(partition, committed, data)) return { partition, committed, metadata: text }
    this.#parts.refused(partition)
    return undefined
  }

  /** Returns whether the partition is still claimed by this member. */
  async #store(partition: OwnedPartition, offset: number, data: CheckpointData): Promise<boolean> {
    const { checkpoints } = this.#parts.settings
    if (!checkpoints) return true
    const key = `${this.#parts.groupId}/${partition.partition}`
    // A copy: the ranges go on changing while it is saved.
    const beyond = data.beyond.map(([from, to]) => [from, to] as const)
    try {
      return (await checkpoints.save(key, partition.epoch, { offset, beyond, journal: journalText(data) })) === 'saved'
    } catch (error) {
      partition.isDirty = true
      throw error
    }
  }

  async #tellGroup(saved: readonly SavedCheckpoint[]): Promise<void> {
    if (saved.length === 0) return
    const topic = this.#parts.names.calls
    try {
      await this.#parts.member.commit(
        saved.map(({ committed, metadata, partition: { partition } }) => ({
          topic,
          partition,
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
      this.#trimmer.below(topic, partition.partition, committed)
    }
  }
}

/** A checkpoint that the group is to be told of. */
interface SavedCheckpoint {
  readonly partition: OwnedPartition
  readonly committed: number
  readonly metadata: string
}

function isOurs({ state }: OwnedPartition): boolean {
  return state === 'taking' || state === 'owned'
}
