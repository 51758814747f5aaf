import { setTimeout as sleep } from 'node:timers/promises'
import { type Log, PosthasteError } from '@posthaste/core'
import type { Completed, Effects, NewTimer } from '@posthaste/stream'
import type { GroupMember } from './group-member.js'
import type { DeliverySource, KafkaDelivery } from './kafka-delivery.js'
import { decideLane } from './lanes.js'
import type { OwnedPartition } from './owned-partition.js'
import { partitionOf } from './partition-of.js'
import { journalHeaders, type Outgoing, outgoing, timerHeaders } from './record-codec.js'
import type { Sender } from './sender.js'
import type { TopicNames } from './topic-names.js'
import type { Topics } from './topics.js'

const RETRY_MS = 250
const WARN_EVERY_MS = 5_000
const TRUST_LOOK_MS = 50
/** How long writing goes on after the stop. */
const STOPPED_GIVE_UP_MS = 5_000
/**
 * How long it goes on for a delivery whose partition was lost. That does no harm, and if the brokers were away it comes
 * before the next owner reads the journal.
 */
const LOST_GIVE_UP_MS = 60_000
/** How much longer a watchdog waits if it comes due while its call is still running here. */
const WATCHDOG_MORE_MS = 10_000

export interface CompleterParts {
  readonly sender: Sender
  readonly member: GroupMember
  readonly names: TopicNames
  readonly topics: Topics
  readonly log: Log
  /** The partition as this member owns it now, if it does. */
  owned(partition: number): OwnedPartition | undefined
  /** Stores the checkpoint of a partition. */
  commit(partition: OwnedPartition): Promise<void>
}

/**
 * Writes what follows from deliveries: the journal first, which decides, then timers and children; then the record
 * counts as completed, and the next checkpoint says so.
 */
export class Completer implements DeliverySource {
  readonly #parts: CompleterParts
  readonly #busy = new Set<Promise<unknown>>()
  /** Calls that were checked out and still run, by partition and offset. */
  readonly #out = new Map<string, KafkaDelivery>()
  #stoppedMs: number | undefined
  #warnedMs = Number.NEGATIVE_INFINITY

  constructor(parts: CompleterParts) {
    this.#parts = parts
  }

  held(delivery: KafkaDelivery): boolean {
    const { state } = delivery.partition
    return (state === 'owned' || delivery.isOut) && this.#stoppedMs === undefined && this.#parts.member.isTrusted
  }

  write(delivery: KafkaDelivery, effects: Effects): Promise<Completed> {
    return this.#while(this.#write(delivery, effects))
  }

  checkOut(delivery: KafkaDelivery, watchdog: NewTimer): Promise<Completed> {
    return this.#while(this.#checkOut(delivery, watchdog))
  }

  /** Whether the call that was checked out at `at` still runs here. */
  runs(partition: number, at: number): boolean {
    return this.#out.has(outKey(partition, at))
  }

  /** Puts a watchdog off. Resolves false if that cannot be stored. */
  putOff(partition: number, watchdog: Omit<NewTimer, 'dueMs'>, at: number): Promise<boolean> {
    const timer = { ...watchdog, dueMs: Date.now() + WATCHDOG_MORE_MS }
    return this.#while(this.#sendUntilStored([this.#timer(timer, partition, at)], undefined))
  }

  /** Resolves once what was asked for so far is written, or given up. */
  async stop(): Promise<void> {
    this.#stoppedMs ??= performance.now()
    while (this.#busy.size > 0) await Promise.all(this.#busy)
  }

  /** Nothing goes on. */
  end(): void {
    for (const delivery of this.#out.values()) delivery.lose()
    this.#out.clear()
  }

  async #write(delivery: KafkaDelivery, effects: Effects): Promise<Completed> {
    const { journal = [] } = effects
    const { partition, at, isOut } = delivery
    if (this.#mustWait(delivery)) await this.#trusted(delivery)
    if (!this.#mayWrite(delivery, journal.length > 0)) return this.#lost(delivery)
    const about = journalHeaders({ at, isOut, writer: partition.writer })
    const { names } = this.#parts
    const entries = journal.map((record) => outgoing(names.journal, partition.partition, record, about))
    if (entries.length > 0) {
      if (!(await this.#sendUntilStored(entries, delivery))) return this.#lost(delivery)
      if (!(await this.#counts(delivery, entries))) return this.#takenByAnother(delivery)
    }
    // What is put off may be back before this is through, and is then no copy.
    else partition.ledger.gaveUp(delivery, delivery.turn)
    const sequels = this.#sequelsOf(effects, partition.partition)
    if (sequels.length > 0 && !(await this.#sendUntilStored(sequels, delivery))) return this.#lost(delivery)
    this.#done(delivery, entries)
    return 'done'
  }

  async #checkOut(delivery: KafkaDelivery, watchdog: NewTimer): Promise<Completed> {
    const { at, partition } = delivery
    if (this.#mustWait(delivery)) await this.#trusted(delivery)
    if (!this.#mayWrite(delivery, false)) return this.#lost(delivery)
    const key = outKey(partition.partition, at)
    // It is found there by its watchdog, which may come before this resolves.
    this.#out.set(key, delivery)
    if (!(await this.#sendUntilStored([this.#timer(watchdog, partition.partition, at)], delivery))) {
      this.#out.delete(key)
      return this.#lost(delivery)
    }
    delivery.isOut = true
    partition.deliveries.delete(delivery)
    partition.complete(at)
    // The journal says nothing of it yet, so after a crash the record would come again before its watchdog.
    await this.#parts.commit(partition).catch(() => undefined)
    return 'done'
  }

  #done(delivery: KafkaDelivery, entries: readonly Outgoing[]): void {
    const { at, isOut, turn } = delivery
    const owned = isOut ? this.#parts.owned(delivery.partition.partition) : delivery.partition
    const offsets = entries.map(({ offset }) => offset)
    owned?.ledger.completed(delivery, turn, offsets, isOut)
    if (isOut) this.#out.delete(outKey(delivery.partition.partition, at))
    delivery.partition.deliveries.delete(delivery)
    if (owned) owned.complete(at)
  }

  /**
   * Whether the entries are the first of their turn. Where the journal goes on from is known, so a gap before them means
   * that another wrote there: an owner of before, late. Then the gap is read.
   */
  async #counts(delivery: KafkaDelivery, entries: readonly Outgoing[]): Promise<boolean> {
    const { isOut, partition, turn } = delivery
    const owned = isOut ? this.#parts.owned(partition.partition) : partition
    if (owned?.state !== 'owned') return true
    const { ledger } = owned
    const first = entries[0]?.offset ?? ledger.end
    const { end } = ledger
    for (const { offset } of entries) ledger.stored(offset)
    const reading = first <= end ? owned.journalRead : owned.readJournal(end, first)
    if (!reading) return true
    await reading
    return turn === undefined || !ledger.isTaken(turn)
  }

  /** Another recorded the turn first: what follows from its entry is to be written by whoever begins the record anew. */
  #takenByAnother(delivery: KafkaDelivery): Completed {
    const { at, isOut, partition, record, turn, watchdogOf } = delivery
    partition.ledger.gaveUp(delivery, turn)
    this.#lost(delivery)
    if (isOut) this.#out.delete(outKey(partition.partition, at))
    else if (partition.state === 'owned') partition.deliver({ record, watchdogOf })
    return 'lost'
  }

  #lost(delivery: KafkaDelivery): Completed {
    delivery.lose()
    delivery.partition.deliveries.delete(delivery)
    return 'lost'
  }

  #sequelsOf({ children = [], timers = [] }: Effects, home: number): Outgoing[] {
    const { names, topics } = this.#parts
    return [
      ...timers.map((timer) => this.#timer(timer, home)),
      ...children.map((child) => outgoing(names.calls, partitionOf(child.key, topics.partitions), child)),
    ]
  }

  #timer(timer: NewTimer, home: number, watchdogOf?: number): Outgoing {
    const { names, topics } = this.#parts
    const { topic } = decideLane(names.lanes, timer.dueMs - Date.now())
    const partition = partitionOf(timer.key, topics.lanePartitions.get(topic) ?? 1)
    return outgoing(topic, partition, timer, timerHeaders(timer, home, watchdogOf))
  }

  /** Tries until it is stored. Resolves false if the delivery was lost, or all was stopped, for too long. */
  async #sendUntilStored(records: readonly Outgoing[], delivery: KafkaDelivery | undefined): Promise<boolean> {
    for (;;) {
      try {
        await this.#parts.sender.send(records)
        return true
      } catch (error) {
        this.#warn(error)
        // The stream is stopped: nothing can be sent any more.
        if (error instanceof PosthasteError && error.code === 'stopping') return false
        if (this.#hasGivenUp(delivery)) return false
      }
      await sleep(RETRY_MS)
    }
  }

  #hasGivenUp(delivery: KafkaDelivery | undefined): boolean {
    const nowMs = performance.now()
    const stoppedMs = this.#stoppedMs ?? nowMs
    const lostMs = delivery?.partition.lostMs ?? nowMs
    return nowMs - stoppedMs > STOPPED_GIVE_UP_MS || nowMs - lostMs > LOST_GIVE_UP_MS
  }

  /** Once for all that fail at about one time. */
  #warn(error: unknown): void {
    if (performance.now() - this.#warnedMs < WARN_EVERY_MS) return
    this.#warnedMs = performance.now()
    this.#parts.log.warn({ err: error, records: this.#busy.size }, 'what was called cannot be recorded; trying again')
  }

  /** Whether it is not known now if this is still a member of the group. */
  #mustWait({ isOut, partition }: KafkaDelivery): boolean {
    return !isOut && partition.state === 'owned' && !this.#parts.member.isTrusted && this.#stoppedMs === undefined
  }

  async #trusted(delivery: KafkaDelivery): Promise<void> {
    while (this.#mustWait(delivery)) await sleep(TRUST_LOOK_MS)
  }

  /**
   * What is recorded may be written while the next owner waits for it. What is not would be done again by that one, and
   * what followed from it here as well.
   */
  #mayWrite({ isOut, lost, partition }: KafkaDelivery, isRecorded: boolean): boolean {
    if (lost.aborted || this.#stoppedMs !== undefined) return false
    return isOut || partition.state === 'owned' || (partition.state === 'losing' && isRecorded)
  }

  #while<T>(work: Promise<T>): Promise<T> {
    this.#busy.add(work)
    const done = (): void => {
      this.#busy.delete(work)
    }
    work.then(done, done)
    return work
  }
}

function outKey(partition: number, at: number): string {
  return `${partition} ${at}`
}
