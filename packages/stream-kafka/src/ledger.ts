import { type Begun, CompletedPrefix, type Turn } from '@posthaste/stream'
import { type About, turnText, type Watched } from './record-codec.js'

/** Turns of which it is remembered that they ended, so that copies are known. */
const ENDED_MAX = 5_000
/** How long after its time a watchdog is still expected. */
const WATCHDOG_LATE_MS = 300_000

/** An entry of the journal that was read. */
export interface Entry {
  readonly offset: number
  readonly turn: Turn
  readonly value: Uint8Array
  /** Undefined if it was not written with a completion. */
  readonly about: About | undefined
}

/** What `begin` and `complete` say of a delivery. */
export interface Claimant {
  /** Offset of its record. */
  readonly at: number
  readonly watched: Watched | undefined
}

interface EndedOut {
  readonly offset: number
  readonly forgetMs: number
}

/**
 * What is known of the turns of one partition: those in work, those that ended, and entries of the journal whose
 * effects may be missing because another wrote them. The first entry of a turn counts, later ones are history.
 *
 * Entries of calls that were checked out have nothing on `calls` but their watchdog, so they are found by that.
 */
export class Ledger {
  readonly #writer: string
  readonly #marks: number
  /** Of journal offsets: what is completed with its effects. */
  readonly #journal: CompletedPrefix
  readonly #working = new Map<string, Claimant>()
  readonly #ended = new Set<string>()
  /** Entries whose effects may be missing, by the offset of the record they are about. */
  readonly #openAt = new Map<number, Entry>()
  /** The same of calls that were checked out. */
  readonly #openOut = new Map<number, Entry>()
  /** The same of entries that do not say what they are about. */
  readonly #openTurn = new Map<string, Entry>()
  /** Records that an owner of before had checked out, by the offset of what says so. */
  readonly #inheritedOut = new Map<number, number>()
  /** Calls that were checked out and ended, by the offset of their record, until their watchdog is dropped. */
  readonly #endedOut = new Map<number, EndedOut>()
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
    let marks = this.position
    for (const { offset } of this.#endedOut.values()) marks = Math.min(marks, offset)
    return marks
  }

  /**
   * Takes note of an entry that was read. `isCompleted` tells whether its record is. What does not say what it is about
   * counts only if it `isInherited`: no member writes such.
   */
  found(entry: Entry, isInherited: boolean, isCompleted: (at: number) => boolean): void {
    const { about, offset } = entry
    const text = turnText(entry.turn)
    this.#end = Math.max(this.#end, offset + 1)
    // Ours are found only if an attempt to write them was stored and not acknowledged: then they were written again.
    if (about ? about.writer === this.#writer : !isInherited) {
      this.#journal.complete(offset)
      return
    }
    const isHistory = this.#ended.has(text)
    this.#remember(text)
    if (offset < this.position) {
      if (about?.isOut && offset >= this.#marks) this.#endedOut.set(about.at, endedOut(offset))
    } else if (isHistory) this.#journal.complete(offset)
    else if (!about) this.#openTurn.set(text, entry)
    else if (about.isOut) this.#openOut.set(about.at, entry)
    else if (isCompleted(about.at)) this.#journal.complete(offset)
    else this.#openAt.set(about.at, entry)
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
    return inherited.map(([, at]) => at).filter((at) => !this.#openAt.has(at))
  }

  /** The journal was read up to there. */
  readTo(offset: number): void {
    this.#end = Math.max(this.#end, offset)
    this.#readEnd = Math.max(this.#readEnd, offset)
  }

  /** What does not say what it is about needs no effects once everything is completed that was there when it was found. */
  forgetUnclaimed(): void {
    for (const { offset } of this.#openTurn.values()) this.#journal.complete(offset)
    this.#openTurn.clear()
  }

  begin(turn: Turn, claimant: Claimant): Begun {
    const text = turnText(turn)
    const open = this.#claim(text, claimant)
    if (open) return open.value
    const other = this.#working.get(text)
    if ((other && other !== claimant) || this.#ended.has(text)) return 'copy'
    this.#working.set(text, claimant)
    return 'fresh'
  }

  /** Whether there is an entry whose effects this delivery is to write. */
  isOpen(turn: Turn, { at, watched }: Claimant): boolean {
    if (this.#openAt.has(at) || this.#openTurn.has(turnText(turn))) return true
    return watched !== undefined && this.#openOut.has(watched.at)
  }

  /** Whether another recorded the turn before. */
  isTaken(text: string): boolean {
    return this.#ended.has(text)
  }

  /** An entry of ours was stored. Its effects follow. */
  stored(offset: number): void {
    this.#end = Math.max(this.#end, offset + 1)
  }

  /** Everything that follows from a delivery is stored. `offsets` are those of its entries. */
  completed(claimant: Claimant, text: string | undefined, offsets: readonly number[], isOut: boolean): void {
    for (const offset of offsets) this.#journal.complete(offset)
    const first = offsets[0]
    this.#close(claimant, first)
    if (text !== undefined && this.#working.get(text) === claimant) {
      this.#working.delete(text)
      if (offsets.length > 0) this.#remember(text)
    }
    if (isOut) this.#endedOut.set(claimant.at, endedOut(first ?? Number.POSITIVE_INFINITY))
  }

  /** A check-out of ours was stored, or what is history: nothing follows from it. */
  passed(offsets: readonly number[]): void {
    for (const offset of offsets) this.#journal.complete(offset)
  }

  /** The delivery is in work no more, and nothing came of it. */
  gaveUp(claimant: Claimant, text: string | undefined): void {
    if (text !== undefined && this.#working.get(text) === claimant) this.#working.delete(text)
  }

  /** Whether the call whose place a watchdog has taken is known to have ended with all its effects. */
  hasEndedOut(at: number): boolean {
    return this.#endedOut.has(at)
  }

  /** The watchdog of that call is gone. */
  dropOut(at: number): void {
    this.#endedOut.delete(at)
  }

  /** Forgets of whom no watchdog came. */
  expire(): void {
    for (const [at, { forgetMs }] of this.#endedOut) if (forgetMs < Date.now()) this.#endedOut.delete(at)
  }

  /** The entry whose effects this delivery is to write. */
  #claim(text: string, { at, watched }: Claimant): Entry | undefined {
    const open = this.#openAt.get(at) ?? (watched && this.#openOut.get(watched.at))
    if (open) return open
    const unsaid = this.#openTurn.get(text)
    if (!unsaid) return undefined
    // From now on it is this delivery that is about it.
    this.#openTurn.delete(text)
    this.#openAt.set(at, unsaid)
    return unsaid
  }

  /** `own` is the offset of the entry that came of it here, if any did. */
  #close({ at, watched }: Claimant, own: number | undefined): void {
    const open = this.#openAt.get(at)
    if (open) this.#journal.complete(open.offset)
    this.#openAt.delete(at)
    if (!watched) return
    const out = this.#openOut.get(watched.at)
    if (out) this.#journal.complete(out.offset)
    this.#openOut.delete(watched.at)
    const entry = out?.offset ?? own
    if (!watched.isEarly) this.#endedOut.delete(watched.at)
    else if (entry !== undefined) this.#endedOut.set(watched.at, endedOut(entry))
  }

  #remember(text: string): void {
    this.#ended.add(text)
    if (this.#ended.size <= ENDED_MAX) return
    for (const oldest of this.#ended) {
      this.#ended.delete(oldest)
      return
    }
  }
}

function endedOut(offset: number): EndedOut {
  // Never so late that it is not known when its watchdog comes: calls run for an hour at the most.
  return { offset, forgetMs: Date.now() + 3_600_000 + WATCHDOG_LATE_MS }
}
