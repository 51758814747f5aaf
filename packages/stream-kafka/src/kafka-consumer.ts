import {
  type Acted,
  Bell,
  type Consumer,
  type Delivery,
  type Effects,
  type Progress,
  type PullOptions,
  type Turn,
} from '@posthaste/stream'
import type { EachBatchPayload } from 'kafkajs'
import { Acts } from './acts.js'
import { slotsTogether } from './assignor.js'
import { Checkpoints } from './checkpoints.js'
import { Completer } from './completer.js'
import { EffectRecords } from './effect-records.js'
import { GroupMember } from './group-member.js'
import { groupProgress, progressElsewhere, progressHere } from './group-progress.js'
import { KafkaDelivery } from './kafka-delivery.js'
import { translate } from './kafka-errors.js'
import type { OwnedPartition, PartitionParts } from './owned-partition.js'
import { OwnedPartitions } from './owned-partitions.js'
import { SequelWriter } from './sequel-writer.js'
import type { StreamParts } from './stream-parts.js'
import { takeOver } from './takeover.js'
import { TimerMover } from './timer-mover.js'
import { watchdogCame } from './watchdogs.js'
import { STOPPED_GIVE_UP_MS, Writing } from './writing.js'

const FETCH_BYTES_MAX = 1024 * 1024
const FETCH_WAIT_MS = 100
/** How long a stop waits for what is being written: reading the journal has no end while the brokers are away. */
const WRITTEN_MS_MAX = STOPPED_GIVE_UP_MS + 2_000

/** A member of the group that consumes `calls`. It owns partitions, each of `calls` with the same one of the journal. */
export class KafkaConsumer implements Consumer {
  readonly #parts: StreamParts
  readonly #groupId: string
  readonly #memberText: string
  readonly #bell = new Bell()
  readonly #stopping = new AbortController()
  readonly #member: GroupMember
  readonly #writing: Writing
  readonly #completer: Completer
  readonly #acts: Acts
  readonly #checkpoints: Checkpoints
  readonly #timers: TimerMover
  readonly #owned: OwnedPartitions
  /** Where the next pull begins, so that each partition has its turn. */
  #turn = 0
  #stopped: Promise<void> | undefined

  constructor(parts: StreamParts, group: string, memberText: string) {
    this.#parts = parts
    this.#memberText = memberText
    this.#groupId = `${parts.settings.prefix}.${group}`
    const { log, sessionTimeoutMs } = parts.settings
    const { calls, journal } = parts.names
    this.#member = new GroupMember({
      client: parts.client,
      admin: parts.admin,
      groupId: this.#groupId,
      topics: [calls, journal],
      slots: slotsTogether([calls, journal], parts.topics.partitions),
      member: memberText,
      sessionTimeoutMs,
      bytesPerPartitionMax: FETCH_BYTES_MAX,
      fetchWaitMs: FETCH_WAIT_MS,
      log,
      events: {
        joined: (slots, meanwhile) => this.#owned.joined(slots, meanwhile),
        left: () => this.#owned.joined(new Set(), 'moved'),
        batch: (payload) => this.#takeBatch(payload),
        confirmed: () => this.#bell.ring(),
      },
    })
    this.#writing = new Writing(parts.effects, log)
    const writes = {
      member: this.#member,
      topics: parts.topics,
      writing: this.#writing,
      records: new EffectRecords(parts),
      owned: (partition: number) => this.#owned.get(partition),
    }
    const sequels = new SequelWriter(writes)
    this.#completer = new Completer({ ...writes, sequels })
    this.#acts = new Acts({ ...writes, sequels })
    this.#checkpoints = new Checkpoints({
      ...parts,
      groupId: this.#groupId,
      member: this.#member,
      owned: () => this.#owned.all(),
      refused: (partition) => this.#owned.refused(partition),
    })
    this.#timers = new TimerMover(parts, `${this.#groupId}.timers`)
    this.#owned = new OwnedPartitions({
      partition: this.#partitionParts(),
      log,
      stopping: this.#stopping.signal,
      takeOver: (taken) => this.#takeOver(taken),
    })
  }

  start(): void {
    this.#member.start()
    this.#checkpoints.start()
    this.#timers.start()
  }

  async pull({ bytesMax, recordsMax, signal, waitMs }: PullOptions): Promise<Delivery[]> {
    const untilMs = performance.now() + waitMs
    for (;;) {
      if (this.#stopping.signal.aborted) return []
      const deliveries = this.#member.isTrusted ? this.#take(recordsMax, bytesMax) : []
      if (deliveries.length > 0) return deliveries
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0 || signal?.aborted) return []
      await this.#bell.wait(leftMs, signal)
    }
  }

  act(turn: Turn, effects: Effects): Promise<Acted> {
    return this.#acts.act(turn, effects)
  }

  async progress(): Promise<readonly Progress[]> {
    // Asked first: what is moved meanwhile stands before the end that is asked for.
    const { hasOverdue } = this.#timers
    const { admin, names, topics, watermarks } = this.#parts
    const [ends, others] = await Promise.all([
      watermarks.of(names.calls),
      this.#owned.hasTaken(topics.partitions) ? undefined : groupProgress(admin, this.#groupId, names.calls),
    ]).catch((error: unknown) => {
      throw translate(error)
    })
    return Array.from({ length: topics.partitions }, (_, partition): Progress => {
      const owned = this.#owned.get(partition)
      const mark = ends.get(partition) ?? { low: 0, high: 0 }
      const place =
        owned?.state === 'owned'
          ? progressHere(owned, mark, this.#memberText)
          : progressElsewhere(mark, others?.get(partition), owned !== undefined)
      return { partition, overdue: hasOverdue, ...place }
    })
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    this.#bell.ring()
    const moved = this.#timers.stop()
    const late = setTimeout(() => this.#owned.loseAll(), WRITTEN_MS_MAX)
    await this.#writing.stop()
    clearTimeout(late)
    await this.#checkpoints.stop()
    this.#owned.loseAll()
    this.#completer.end()
    await Promise.all([moved, this.#member.stop()])
  }

  #take(recordsMax: number, bytesMax: number): Delivery[] {
    const deliveries: Delivery[] = []
    let bytes = 0
    const owned = [...this.#owned.all()]
    for (let index = 0; index < owned.length; index += 1) {
      const partition = owned[(this.#turn + index) % owned.length] as OwnedPartition
      while (deliveries.length < recordsMax && bytes < bytesMax && partition.hasNext) {
        const queued = partition.next()
        if (!queued) break
        const delivery = new KafkaDelivery(queued, partition, this.#completer)
        partition.deliveries.add(delivery)
        deliveries.push(delivery)
        bytes += queued.record.value.length
      }
      if (deliveries.length >= recordsMax || bytes >= bytesMax) {
        // One that had more than was asked for lets the others go first.
        this.#turn = (this.#turn + index + 1) % owned.length
        break
      }
    }
    return deliveries
  }

  #takeBatch(payload: EachBatchPayload): void {
    const partition = this.#owned.get(payload.batch.partition)
    if (payload.batch.topic === this.#parts.names.calls) partition?.takeBatch(payload)
    else partition?.journal.takeBatch(payload)
  }

  #partitionParts(): PartitionParts {
    const { names, settings, watermarks } = this.#parts
    const watchdogParts = { ...this.#parts, log: settings.log, completer: this.#completer }
    return {
      member: this.#member,
      topics: names,
      changed: () => this.#bell.ring(),
      journalLow: async (partition) => (await watermarks.of(names.journal)).get(partition)?.low ?? 0,
      watchdogCame: (...came) => void watchdogCame(...came, watchdogParts),
    }
  }

  #takeOver(taken: readonly OwnedPartition[]): Promise<void> {
    const { admin, names, settings, watermarks } = this.#parts
    const { checkpoints } = settings
    return takeOver(taken, {
      ...{ admin, checkpoints, groupId: this.#groupId, member: this.#member, topics: names, watermarks },
      commit: (some) => this.#checkpoints.commit(some),
    })
  }
}
