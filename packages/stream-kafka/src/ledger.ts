import { type Begun, CompletedPrefix, type Turn } from '@posthaste/stream'
import type { Claimant } from './claimant.js'
import { EndedCalls } from './ended-calls.js'
import { EndedTurns } from './ended-turns.js'
import { type Entry, OpenEntries } from './open-entries.js'
import { turnText } from './record-codec.js'

/**
 * What is known of the turns of one partition: those in work, those that ended, and entries of the journal whose
 * effects may be missing because another wrote them. The first entry of a turn counts, later ones are history; so it is
 * for as long as it is remembered that the turn ended.
 *
 * An entry of another is told to whatever brings its turn next: its record, what that was moved aside to, or the
 * watchdog of a call that was checked out. That its record is completed does not say that its effects are written.
 *
 * An entry that was written without a record in hand ends its turn and is done with: nothing of what follows from it is
 * for its record to write, which may come in a year or never.
 */
export class Ledger {
  readonly #writer: string
  readonly #marks: number
  /** Of journal offsets: what is completed with its effects. */
  readonly #journal: CompletedPrefix
  readonly #working = new Map<string, Claimant>()
  readonly #ended = new EndedTurns()
  readonly #open = new OpenEntries()
  /** Entries of ours, by their turn, that were read before they were acknowledged: their effects are still to be written. */
  readonly #unacknowledged = new Map<string, number[]>()
  /** Records that an owner of before had checked out, by the offset of what says so. */
  readonly #inheritedOut = new Map<number, number>()
  readonly #endedOut = new EndedCalls()
  #end: number
  #readEnd = 0

  /** What stands in the journal below `journal` needs no effects any more; what does below `marks`, no watchdog either. */
  constructor(writer: string, journal: number, marks = 0) {
    this.#writer = writer
    this.#marks = marks
    this.#journal = new CompletedPrefix(journal)
    this.#end = journal
  }

  /** Up to where the journal is known. */
  get end(): number {
    return this.#end
  }

  /** Nothing below needs to be read any more: an entry that is found again looks like history. */
  get readEnd(): number {
    return this.#readEnd
  }

  /** Position of the journal below which everything is completed with its effects. */
  get position(): number {
    return this.#journal.committed
  }

  /** Position of the journal from which the next owner must read. */
  get marks(): number {
    return this.#endedOut.lowest(this.position)
  }

  /**
   * Takes note of an entry that was read. What does not say what it is about counts only if it `isInherited`: no member
   * writes such.
   */
  found(entry: Entry, isInherited: boolean): void {
    const { about, offset } = entry
    const text = turnText(entry.turn)
    this.#end = Math.max(this.#end, offset + 1)
    if (about?.writer === this.#writer) this.#foundOwn(text, offset)
    else if (about || isInherited) this.#foundOther(text, entry)
    else this.#journal.complete(offset)
  }

  /** Takes note of an entry that was read of a turn whose record `writer` did not have in hand. */
  foundActed(turn: Turn, offset: number, writer: string): void {
    const text = turnText(turn)
    this.stored(offset)
    if (writer === this.#writer) {
      this.#foundOwn(text, offset)
      return
    }
    if (!this.#unacknowledged.has(text)) this.#ended.add(text, offset)
    this.#journal.complete(offset)
  }

  /** Takes note of a note that was read: nothing follows from it. */
  foundNote(offset: number): void {
    this.stored(offset)
    this.#journal.complete(offset)
  }

  /**
   * Takes note of what was read of a check-out. It counts if it `isInherited`; what comes later comes too late: the record
   * is delivered again.
   */
  foundOut(offset: number, at: number, isInherited: boolean): void {
    this.#end = Math.max(this.#end, offset + 1)
    if (isInherited && offset >= this.position) this.#inheritedOut.set(offset, at)
    else this.#journal.complete(offset)
  }

  /**
   * Tells, once, which records need not be delivered because owners of before had checked them out. A record that has an
   * entry all the same was delivered again: what follows from it is to be written.
   */
  takeInheritedOut(): number[] {
    const inherited = [...this.#inheritedOut]
    this.#inheritedOut.clear()
    for (const [offset] of inherited) this.#journal.complete(offset)
    const recorded = this.#open.recorded()
    return inherited.map(([, at]) => at).filter((at) => !recorded.has(at))
  }

  /** The journal was read up to there. */
  readTo(offset: number): void {
    this.#end = Math.max(this.#end, offset)
    this.#readEnd = Math.max(this.#readEnd, offset)
  }

  begin(turn: Turn, claimant: Claimant): Begun {
    const text = turnText(turn)
    if ((this.#working.get(text) ?? claimant) !== claimant) return 'copy'
    const open = this.#open.get(text)
    if (!open && this.#ended.has(text)) return 'copy'
    this.#working.set(text, claimant)
    if (!open) return 'fresh'
    open.told = claimant
    return open.entry.value
  }

  /** Whether another recorded the turn. */
  isTaken(text: string): boolean {
    return this.#open.has(text) || this.#ended.has(text)
  }

  /** Whether a delivery of it is in work here, or somebody acts for it. */
  isWorking(text: string): boolean {
    return this.#working.has(text)
  }

  /** How the turn ended, as far as that is known: the value of its first entry, or where in the journal that stands. */
  endOf(text: string): Uint8Array | number | undefined {
    return this.#open.get(text)?.entry.value ?? this.#ended.offsetOf(text)
  }

  /** What told of its end has left the journal: nothing is known of the turn any more. */
  forget(text: string): void {
    this.#ended.forget(text)
  }

  /** Whether an entry of its turn was found since this delivery was begun: then it is to be begun anew, not put off. */
  isOvertaken(text: string, claimant: Claimant): boolean {
    const open = this.#open.get(text)
    return open !== undefined && open.told !== claimant && (this.#working.get(text) ?? claimant) === claimant
  }

  /** An entry of ours was stored. Its effects follow. */
  stored(offset: number): void {
    this.#end = Math.max(this.#end, offset + 1)
  }

  /**
   * Everything that follows from a delivery is stored. `offsets` are those of its entries. A watchdog that is still to come
   * for it is to be dropped if it `isOut`.
   */
  completed(claimant: Claimant, text: string | undefined, offsets: readonly number[], isOut: boolean): void {
    for (const offset of offsets) this.#journal.complete(offset)
    const first = offsets[0]
    const open = text === undefined ? undefined : this.#open.get(text)
    const isTold = open !== undefined && open.told === claimant
    const end = isTold ? open.entry.offset : first
    if (text !== undefined && end !== undefined) this.#close(text, end)
    this.gaveUp(claimant, text)
    this.#endedOut.expect(claimant.watched, isTold ? open.entry : undefined, first)
    if (isOut) this.#endedOut.add(claimant.at, first ?? Number.POSITIVE_INFINITY)
  }

  /** A check-out of ours was stored, or notes, or entries that are history: nothing follows from them. */
  passed(offsets: readonly number[], text?: string): void {
    // Of a call that outlived the loss of its partition it may be the very one that was found.
    const open = text === undefined ? undefined : this.#open.get(text)?.entry.offset
    for (const offset of offsets) if (offset !== open) this.#journal.complete(offset)
  }

  /** The delivery is in work no more. */
  gaveUp(claimant: Claimant, text: string | undefined): void {
    if (text === undefined || this.#working.get(text) !== claimant) return
    this.#working.delete(text)
    for (const offset of this.#unacknowledged.get(text) ?? []) this.#journal.complete(offset)
    this.#unacknowledged.delete(text)
  }

  /** Whether the call whose place a watchdog has taken is known to have ended with all its effects. */
  hasEndedOut(at: number): boolean {
    return this.#endedOut.has(at)
  }

  /** The watchdog of that call is gone. */
  dropOut(at: number): void {
    this.#endedOut.drop(at)
  }

  /**
   * Forgets of whom no watchdog came, and lets go of entries that nobody came for. `isCompleted` tells whether a record is;
   * `isInheritedDone`, whether all that was there when the partition was taken is.
   */
  expire(isCompleted: (at: number) => boolean, isInheritedDone: boolean, nowMs = performance.now()): void {
    this.#endedOut.expire(nowMs)
    const isAwaited = (text: string, { about }: Entry): boolean =>
      this.#working.has(text) || !(about ? isCompleted(about.at) : isInheritedDone)
    for (const text of this.#open.abandoned(isAwaited, nowMs)) this.#letGo(text)
  }

  #foundOwn(text: string, offset: number): void {
    // Its acknowledgement is still to come, or was lost: then it is being written again. What follows from it is not written.
    if (!this.#working.has(text)) this.#journal.complete(offset)
    else this.#unacknowledged.set(text, [...(this.#unacknowledged.get(text) ?? []), offset])
  }

  #foundOther(text: string, entry: Entry): void {
    const { about, offset } = entry
    if (this.#unacknowledged.has(text)) {
      // One of ours came first, or was history itself.
      this.#journal.complete(offset)
      return
    }
    const isTaken = this.isTaken(text)
    this.#ended.add(text, offset)
    if (offset < this.position) {
      if (about?.isOut && offset >= this.#marks) this.#endedOut.add(about.at, offset)
    } else if (isTaken) this.#journal.complete(offset)
    else this.#open.add(text, entry)
  }

  /** The turn ended with all that follows: so its entry at `offset` says. */
  #close(text: string, offset: number): void {
    const open = this.#open.get(text)
    if (open) this.#journal.complete(open.entry.offset)
    this.#open.delete(text)
    this.#ended.add(text, offset)
  }

  /** What comes of the turn all the same is no copy any more: rather a call twice than none. */
  #letGo(text: string): void {
    const open = this.#open.get(text)
    if (open) this.#journal.complete(open.entry.offset)
    this.#open.delete(text)
    this.#ended.forget(text)
  }
}
