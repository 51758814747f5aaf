import { setTimeout as sleep } from 'node:timers/promises'
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
import { GroupMember, type Meanwhile } from './group-member.js'
import { groupProgress, progressElsewhere, progressHere } from './group-progress.js'
import { KafkaDelivery } from './kafka-delivery.js'
import { translate } from './kafka-errors.js'
import { OwnedPartition, type PartitionParts } from './owned-partition.js'
import { SequelWriter } from './sequel-writer.js'
import type { StreamParts } from './stream-parts.js'
import { SETTLE_MS, takeOver } from './takeover.js'
import { TimerMover } from './timer-mover.js'
import { watchdogCame } from './watchdogs.js'
import { STOPPED_GIVE_UP_MS, Writing } from './writing.js'

const FETCH_BYTES_MAX = 1024 * 1024
const FETCH_WAIT_MS = 100
const RETRY_MS = 500
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
  readonly #owned = new Map<number, OwnedPartition>()
  /** Was owned, and is still recorded for a moment. */
  readonly #losing = new Set<OwnedPartition>()
  readonly #partitionParts: PartitionParts
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
        joined: (slots, meanwhile) => this.#joined(slots, meanwhile),
        left: () => this.#joined(new Set(), 'moved'),
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
      owned: () => this.#owned.values(),
      refused: (partition) => this.#refused(partition),
    })
    this.#timers = new TimerMover(parts, `${this.#groupId}.timers`)
    this.#partitionParts = {
      member: this.#member,
      topics: parts.names,
      changed: () => this.#bell.ring(),
      journalLow: async (partition) => (await parts.watermarks.of(journal)).get(partition)?.low ?? 0,
      watchdogCame: (partition, watchdog, message) =>
        void watchdogCame(partition, watchdog, message, { ...parts, log, completer: this.#completer }),
    }
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
      this.#ownsAll() ? undefined : groupProgress(admin, this.#groupId, names.calls),
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
    const late = setTimeout(() => this.#loseAll(), WRITTEN_MS_MAX)
    await this.#writing.stop()
    clearTimeout(late)
    await this.#checkpoints.stop()
    this.#loseAll()
    this.#completer.end()
    await Promise.all([moved, this.#member.stop()])
  }

  #take(recordsMax: number, bytesMax: number): Delivery[] {
    const deliveries: Delivery[] = []
    let bytes = 0
    const owned = [...this.#owned.values()]
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

  #joined(slots: ReadonlySet<string>, meanwhile: Meanwhile): void {
    for (const partition of [...this.#owned.values()]) {
      if (meanwhile === 'kept' && slots.has(String(partition.partition))) partition.rejoined()
      // The next owner has waited for us already.
      else if (meanwhile === 'expelled') this.#lose(partition)
      else this.#giveUp(partition)
    }
    this.#own([...slots].map(Number).filter((number) => !this.#owned.has(number)))
  }

  #own(numbers: readonly number[]): void {
    const taken = numbers.map((number) => new OwnedPartition(number, this.#partitionParts))
    for (const partition of taken) this.#owned.set(partition.partition, partition)
    if (taken.length > 0) void this.#takeOver(taken)
  }

  /**
   * Another has claimed it in the store of checkpoints. If the group still gives it to this member, that was one who had
   * lost it and claimed late: it is taken over again, once it is certain that the group does.
   */
  #refused(partition: OwnedPartition): void {
    const isOurs = this.#owned.get(partition.partition) === partition
    this.#lose(partition)
    if (isOurs && !this.#stopping.signal.aborted) this.#own([partition.partition])
  }

  async #takeOver(taken: readonly OwnedPartition[]): Promise<void> {
    const { log } = this.#parts.settings
    let left = taken
    for (let attempt = 1; left.length > 0 && !this.#stopping.signal.aborted; attempt += 1) {
      try {
        await takeOver(left, { ...this.#takeoverParts(), commit: (some) => this.#checkpoints.commit(some) })
        this.#bell.ring()
        return
      } catch (error) {
        if (attempt === 3) log.warn({ err: error }, 'partitions cannot be taken over; trying again')
      }
      await sleep(RETRY_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
      left = left.filter(({ state }) => state === 'taking')
    }
  }

  #takeoverParts() {
    const { admin, names, settings, watermarks } = this.#parts
    const { checkpoints } = settings
    return { admin, checkpoints, groupId: this.#groupId, member: this.#member, topics: names, watermarks }
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

  #loseAll(): void {
    for (const partition of [...this.#owned.values(), ...this.#losing]) this.#lose(partition)
  }

  #ownsAll(): boolean {
    if (this.#owned.size < this.#parts.topics.partitions) return false
    for (const { state } of this.#owned.values()) if (state !== 'owned') return false
    return true
  }
}
