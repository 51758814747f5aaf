import { setTimeout as sleep } from 'node:timers/promises'
import type { Completed, Effects, NewRecord, NewTimer } from '@posthaste/stream'
import { comesBack, type EffectRecords } from './effect-records.js'
import type { GroupMember } from './group-member.js'
import type { DeliverySource, KafkaDelivery } from './kafka-delivery.js'
import type { OwnedPartition } from './owned-partition.js'
import { type Outgoing, turnText } from './record-codec.js'
import { hasGivenUp, type SequelWriter } from './sequel-writer.js'
import type { Writing } from './writing.js'

const TRUST_LOOK_MS = 50
/** How much longer a watchdog waits if it comes due while its call is still running here. */
const WATCHDOG_MORE_MS = 10_000

export interface CompleterParts {
  readonly writing: Writing
  readonly records: EffectRecords
  readonly sequels: SequelWriter
  readonly member: GroupMember
  /** The partition as this member owns it now, if it does. */
  owned(partition: number): OwnedPartition | undefined
}

/**
 * Writes what follows from deliveries: the journal first, which decides, then the rest; then the record counts as
 * completed, and the next checkpoint says so.
 */
export class Completer implements DeliverySource {
  readonly #parts: CompleterParts
  /** Calls that were checked out and still run, by partition and offset. */
  readonly #out = new Map<string, KafkaDelivery>()

  constructor(parts: CompleterParts) {
    this.#parts = parts
  }

  held(delivery: KafkaDelivery): boolean {
    const { state } = delivery.partition
    const { member, writing } = this.#parts
    return (state === 'owned' || delivery.isOut) && !writing.isStopped && member.isTrusted
  }

  write(delivery: KafkaDelivery, effects: Effects): Promise<Completed> {
    return this.#parts.writing.track(this.#write(delivery, effects))
  }

  checkOut(delivery: KafkaDelivery, watchdog: NewTimer, notes: readonly NewRecord[]): Promise<Completed> {
    return this.#parts.writing.track(this.#checkOut(delivery, watchdog, notes))
  }

  /** Whether the call that was checked out at `at` still runs here. */
  runs(partition: number, at: number): boolean {
    return this.#out.has(outKey(partition, at))
  }

  /** Puts a watchdog off. Resolves false if that cannot be stored. */
  putOff(partition: number, watchdog: Omit<NewTimer, 'dueMs'>, at: number): Promise<boolean> {
    const { records, writing } = this.#parts
    const timer = { ...watchdog, dueMs: Date.now() + WATCHDOG_MORE_MS }
    return writing.track(writing.untilStored([records.watchdog(timer, partition, at)]))
  }

  /** Nothing goes on. */
  end(): void {
    for (const delivery of this.#out.values()) delivery.lose()
    this.#out.clear()
  }

  async #write(delivery: KafkaDelivery, effects: Effects): Promise<Completed> {
    if (this.#mustWait(delivery)) await this.#trusted(delivery)
    const { records, sequels } = this.#parts
    const entries = records.entries(effects, delivery)
    const isBack = comesBack(effects, delivery)
    if (!this.#mayWrite(delivery, entries.length > 0)) return this.#lost(delivery)
    if (entries.length > 0) {
      if (!(await this.#untilStored(entries, delivery))) return this.#lost(delivery)
      if (!(await this.#counts(delivery, entries))) return this.#takenByAnother(delivery, entries)
      if (!this.#owner(delivery)) return this.#leaveToOwner(delivery)
    } else if (this.#isOvertaken(delivery)) return this.#takenByAnother(delivery, [])
    // What is put off may be back before this is through, and is then no copy.
    else if (!effects.again) delivery.partition.ledger.gaveUp(delivery, delivery.turn)
    // Before it comes: its call is to be found ended.
    if (isBack) this.#letGo(delivery)
    if (!(await sequels.write(effects, delivery))) return this.#lost(delivery)
    this.#done(delivery, entries, delivery.isOut && !isBack)
    return 'done'
  }

  /**
   * The watchdog first, then in the journal what says so, where the next owner finds it: after that the record is delivered
   * no more. Should the next owner have read the journal before, it makes the call itself. That is known here by the time:
   * its partition counts as lost here about when the next owner begins to read there. And if time deceives, so that both
   * make the call, the first entry of the turn counts nevertheless, and only the owner writes what follows from it.
   */
  async #checkOut(delivery: KafkaDelivery, watchdog: NewTimer, notes: readonly NewRecord[]): Promise<Completed> {
    const { records, sequels } = this.#parts
    const { at, lost, partition } = delivery
    if (this.#mustWait(delivery)) await this.#trusted(delivery)
    if (!this.#mayWrite(delivery, true)) return this.#lost(delivery)
    // It is found there by its watchdog, which may come before this resolves.
    this.#out.set(keyOf(delivery), delivery)
    const timer = records.watchdog(watchdog, partition.partition, at)
    if (!(await sequels.send([timer], notes, delivery))) return this.#lost(delivery)
    const out = records.checkOut(watchdog, delivery)
    if (!(await this.#untilStored([out], delivery))) return this.#lost(delivery)
    if (!(await this.#counts(delivery, [out]))) return this.#takenByAnother(delivery, [out])
    if (lost.aborted) {
      // The next owner may have found it in time all the same. Then the call is to be made again now, not at its deadline.
      await this.#leaveToOwner(delivery)
      return this.#lost(delivery)
    }
    delivery.isOut = true
    partition.deliveries.delete(delivery)
    partition.ledger.passed([out.offset])
    partition.complete(at)
    return 'done'
  }

  /** Its partition as this member owns it now: where a call was checked out, that may have been lost and be back. */
  #owner({ isOut, partition }: KafkaDelivery): OwnedPartition | undefined {
    const owned = isOut ? this.#parts.owned(partition.partition) : partition
    return owned?.state === 'owned' ? owned : undefined
  }

  /** `isOut` says whether its watchdog is to be dropped. */
  #done(delivery: KafkaDelivery, entries: readonly Outgoing[], isOut: boolean): void {
    const owner = this.#owner(delivery)
    const offsets = entries.map(({ offset }) => offset)
    owner?.ledger.completed(delivery, delivery.turn, offsets, isOut)
    owner?.complete(delivery.at)
    this.#letGo(delivery)
  }

  /** Whether the entries are the first of their turn. */
  async #counts(delivery: KafkaDelivery, entries: readonly Outgoing[]): Promise<boolean> {
    const { turn } = delivery
    const owner = this.#owner(delivery)
    if (!owner) return true
    await owner.journal.stored(entries.map(({ offset }) => offset))
    return turn === undefined || !owner.ledger.isTaken(turn)
  }

  /** Another recorded the turn first: what follows from its entry is to be written by whoever begins the record anew. */
  async #takenByAnother(delivery: KafkaDelivery, entries: readonly Outgoing[]): Promise<Completed> {
    const { isOut, partition, record, turn, watched } = delivery
    const { ledger } = this.#owner(delivery) ?? partition
    ledger.gaveUp(delivery, turn)
    ledger.passed(
      entries.map(({ offset }) => offset),
      turn,
    )
    if (isOut) await this.#leaveToOwner(delivery)
    else if (partition.state === 'owned') partition.deliver({ record, watched })
    return this.#lost(delivery)
  }

  /** Whether another is known by now to have recorded the turn of what is to be put off. */
  #isOvertaken(delivery: KafkaDelivery): boolean {
    const { partition, record, turn = turnText(record) } = delivery
    return partition.ledger.isOvertaken(turn, delivery)
  }

  /**
   * Only the owner of a partition writes what follows from entries, so that it all follows from the first of a turn. It
   * finds this one with the record, or with the watchdog of a call that was checked out, which comes now.
   */
  async #leaveToOwner(delivery: KafkaDelivery): Promise<Completed> {
    const { watchdog } = delivery
    // Before the watchdog comes: its call is to be found ended.
    this.#letGo(delivery)
    if (watchdog) await this.#untilStored([this.#parts.records.earlyWatchdog(watchdog, delivery)], delivery)
    return 'done'
  }

  #lost(delivery: KafkaDelivery): Completed {
    delivery.lose()
    this.#letGo(delivery)
    return 'lost'
  }

  #letGo(delivery: KafkaDelivery): void {
    const key = keyOf(delivery)
    if (this.#out.get(key) === delivery) this.#out.delete(key)
    delivery.partition.deliveries.delete(delivery)
  }

  #untilStored(records: readonly Outgoing[], delivery: KafkaDelivery): Promise<boolean> {
    return this.#parts.writing.untilStored(records, () => hasGivenUp(delivery))
  }

  /** Whether it is not known now if this is still a member of the group. */
  #mustWait({ isOut, partition }: KafkaDelivery): boolean {
    const { member, writing } = this.#parts
    return !isOut && partition.state === 'owned' && !member.isTrusted && !writing.isStopped
  }

  async #trusted(delivery: KafkaDelivery): Promise<void> {
    while (this.#mustWait(delivery)) await sleep(TRUST_LOOK_MS)
  }

  /**
   * What is recorded may be written while the next owner waits for it. What is not would be done again by that one, and
   * what followed from it here as well.
   */
  #mayWrite({ isOut, lost, partition }: KafkaDelivery, isRecorded: boolean): boolean {
    if (lost.aborted || this.#parts.writing.isStopped) return false
    return isOut || partition.state === 'owned' || (partition.state === 'losing' && isRecorded)
  }
}

function keyOf({ at, partition: { partition } }: KafkaDelivery): string {
  return outKey(partition, at)
}

function outKey(partition: number, at: number): string {
  return `${partition} ${at}`
}
