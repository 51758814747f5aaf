import type { Acted, Begun, Completed, CompletedPrefix, Delivery, Effects, Turn } from '@posthaste/stream'
import { CallReader } from './call-reader.js'
import { type Completion, gather, type Transaction } from './completion.js'
import { CompletionLoop, type GroupWriter } from './completion-loop.js'
import { type DeliverySource, EmbeddedDelivery } from './embedded-delivery.js'
import type { Lease } from './lease.js'
import { OwnedTimers } from './owned-timers.js'
import type { EmbeddedParts } from './parts.js'
import { RecentEnds, turnText } from './recent-ends.js'
import { Trimmer } from './trimmer.js'

/**
 * What a member does from taking the lease until it loses it or gives it up. Everything it writes goes through one
 * loop, a transaction at a time: effects, completion and checkpoint together, so that the checkpoint never speaks of
 * effects that are not there. What it knows in memory changes after the commit.
 */
export class Ownership implements DeliverySource, GroupWriter {
  readonly #parts: EmbeddedParts
  readonly #lease: Lease
  readonly #prefix: CompletedPrefix
  readonly #loss = new AbortController()
  readonly #reader: CallReader
  readonly #timers: OwnedTimers
  readonly #trimmer: Trimmer
  readonly #loop: CompletionLoop
  /** Who works on which turn. */
  readonly #inWork = new Map<string, EmbeddedDelivery>()
  readonly #ends = new RecentEnds()
  #inFlight = 0

  constructor(parts: EmbeddedParts, lease: Lease, prefix: CompletedPrefix) {
    this.#parts = parts
    this.#lease = lease
    this.#prefix = prefix
    parts.environment.refresh()
    this.#timers = new OwnedTimers(parts)
    this.#trimmer = new Trimmer(parts, prefix.committed, () => this.#isCurrentNow())
    this.#reader = new CallReader(parts, prefix, this.#trimmer)
    this.#loop = new CompletionLoop(this, parts.log)
    this.#trimmer.start()
  }

  get lost(): AbortSignal {
    return this.#loss.signal
  }

  get isLost(): boolean {
    return this.#loss.signal.aborted
  }

  /** How far all is completed on disk. */
  get committed(): number {
    return this.#trimmer.committed
  }

  get firstDueMs(): number {
    return this.#timers.firstDueMs
  }

  get inFlight(): number {
    return this.#inFlight
  }

  held(): boolean {
    return this.#lease.isTrusted()
  }

  lose(): void {
    if (this.isLost) return
    this.#lease.forget()
    this.#loss.abort()
    this.#loop.drop()
    void this.#trimmer.stop()
  }

  read(recordsMax: number, bytesMax: number): Delivery[] {
    const deliveries: Delivery[] = []
    let bytes = 0
    while (deliveries.length < recordsMax && bytes < bytesMax && !this.isLost) {
      const record = this.#reader.next()
      if (!record) break
      deliveries.push(new EmbeddedDelivery(record, this))
      bytes += record.value.length
    }
    this.#inFlight += deliveries.length
    return deliveries
  }

  /** Whether a timer is due that can be moved to `calls`. */
  get hasDue(): boolean {
    return this.#timers.firstDueMs <= this.#parts.clock.now() && !this.isLost && !this.#loop.isEnding
  }

  /** Moves some of what is due from the timers to `calls`. */
  fireDue(): Promise<void> {
    return this.#loop.fire()
  }

  /** A record is here exactly until its effects are, so nothing is missing of a turn that ended. */
  begin(delivery: EmbeddedDelivery, turn: Turn): Begun {
    const text = turnText(turn)
    if ((this.#inWork.get(text) ?? delivery) !== delivery || this.#ends.has(text)) return 'copy'
    this.#inWork.set(text, delivery)
    delivery.turnText = text
    return 'fresh'
  }

  write(completion: Completion): Promise<Completed> {
    const { delivery, effects, watchdog } = completion
    if (effects.journal) for (const entry of effects.journal) this.#ends.add(entry)
    // What is put off may be back before this is settled, and is then no copy.
    if (delivery?.turnText !== undefined && !watchdog) this.#inWork.delete(delivery.turnText)
    return this.#loop.write(completion)
  }

  /** Writes what follows from a turn, unless it ended a moment ago. */
  async act(turn: Turn, effects: Effects): Promise<Acted> {
    const text = turnText(turn)
    // Whoever has it in hand is to complete it.
    if (this.#inWork.has(text)) return 'elsewhere'
    const hasEnded = this.#ends.has(text)
    // How it ended may still have to be written: nothing more, then, but after it.
    const completion = { delivery: undefined, effects: hasEnded ? {} : effects, watchdog: undefined }
    if ((await this.write(completion)) === 'lost') return 'elsewhere'
    return hasEnded ? this.#endOf(text) : 'done'
  }

  /** Writes what is completed, then knows of nothing more. */
  async end(): Promise<void> {
    await this.#loop.end()
    await this.#trimmer.stop()
    this.#loss.abort()
  }

  async commit(group: readonly Completion[], fire: boolean): Promise<boolean> {
    const after: (() => void)[] = []
    const held = await this.#parts.environment.commit(() => this.#writeNow(group, fire, after))
    if (!held) return false
    for (const change of after) change()
    this.#trimmer.moveTo(this.#prefix.committed)
    return true
  }

  settled(group: readonly Completion[]): void {
    for (const { delivery } of group) {
      if (!delivery) continue
      if (!delivery.isWritten) this.#inFlight -= 1
      delivery.isWritten = true
    }
    this.#parts.bell.ring()
    this.#trimmer.start()
  }

  #writeNow(group: readonly Completion[], fire: boolean, after: (() => void)[]): boolean {
    if (!this.#isCurrentNow()) return false
    const transaction: Transaction = { nowMs: this.#parts.clock.now(), after }
    this.#appendNow(group, transaction)
    this.#timers.writeNow(group, fire, transaction)
    this.#trimmer.trimNow(transaction)
    for (const { delivery } of group) if (delivery) this.#prefix.complete(delivery.record.offset)
    const { beyond, committed } = this.#prefix
    return group.length === 0 || this.#lease.saveNow({ offset: committed, beyond, journal: '' })
  }

  #appendNow(group: readonly Completion[], { after, nowMs }: Transaction): void {
    const { calls, control, journal } = this.#parts.logs
    journal.appendNow(gather(group, 'notes'), nowMs)
    const entries = gather(group, 'journal')
    const base = journal.appendNow(entries, nowMs)
    after.push(() => this.#ends.wrote(entries, base))
    calls.appendNow(gather(group, 'children'), nowMs)
    control.appendNow(gather(group, 'control'), nowMs)
  }

  /** The journal's word; where it is gone already, the caller must ask again, when the rest of the world knows. */
  #endOf(text: string): Acted {
    const offset = this.#ends.offsetOf(text)
    if (offset === undefined) return 'elsewhere'
    this.#parts.environment.refresh()
    const batch = this.#parts.logs.journal.read(offset)
    return batch?.records[offset - batch.base]?.value ?? 'elsewhere'
  }

  /** The lease may have been taken anew since, by this very consumer, with another prefix. */
  #isCurrentNow(): boolean {
    return !this.isLost && this.#lease.isCurrentNow()
  }
}
