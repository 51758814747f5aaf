import { type Begun, CompletedPrefix, type Turn } from '@posthaste/stream'
import { type About, turnText, type Watched } from './record-codec.js'

/** Turns of which it is remembered that they ended, so that copies are known. */
const ENDED_MAX = 5_000
/** How long after its time a watchdog is still expected: calls run for an hour at the most. */
const WATCHDOG_MS_MAX = 3_600_000 + 300_000
/**
 * How long an entry waits for its turn to come back whose record is completed: nobody can tell whether that was put off
 * or is done with. What is put off comes back within thirty seconds, and may have to wait for a new owner of the timers.
 */
const LATE_MS = 90_000
/** Of these, so many are kept. */
const LATE_MAX = 1_000

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

/** An entry whose effects may be missing. */
interface Open {
  readonly entry: Entry
  /** Who was told of it, and writes its effects. */
  told: Claimant | undefined
  /** Since when its record is known to be completed, by `performance.now`. */
  lateMs: number | undefined
}

interface EndedOut {
  readonly offset: number
  readonly forgetMs: number
}

/**
 * What is known of the turns of one partition: those in work, those that ended, and entries of the journal whose
 * effects may be missing because another wrote them. The first entry of a turn counts, later ones are history; so it is
 * for as long as it is remembered that the turn ended.
 *
 * An entry of another is told to whatever brings its turn next: its record, what that was moved aside to, or the
 * watchdog of a call that was checked out. That its record is completed does not say that its effects are written.
 */
export class Ledger {
  readonly #writer: string
  readonly #marks: number
  /** Of journal offsets: what is completed with its effects. */
  readonly #journal: CompletedPrefix
  readonly #working = new Map<string, Claimant>()
  readonly #ended = new Set<string>()
  /** Entries of others whose effects may be missing, by their turn. */
  readonly #open = new Map<string, Open>()
  /** Entries of ours, by their turn, that were read before they were acknowledged: their effects are still to be written. */
  readonly #unacknowledged = new Map<string, number[]>()
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
    const recorded = new Set<number>()
    for (const { entry } of this.#open.values()) if (entry.about && !entry.about.isOut) recorded.add(entry.about.at)
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
    if (text !== undefined && (isTold || first !== undefined)) this.#close(text)
    this.gaveUp(claimant, text)
    this.#expectWatchdog(claimant, isTold ? open.entry : undefined, first)
    if (isOut) this.#endedOut.set(claimant.at, endedOut(first ?? Number.POSITIVE_INFINITY))
  }

  /** A check-out of ours was stored, or entries that are history: nothing follows from them. */
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
    this.#endedOut.delete(at)
  }

  /**
   * Forgets of whom no watchdog came, and lets go of entries that nobody came for. `isCompleted` tells whether a record is;
   * `isInheritedDone`, whether all that was there when the partition was taken is.
   */
  expire(isCompleted: (at: number) => boolean, isInheritedDone: boolean, nowMs = performance.now()): void {
    for (const [at, { forgetMs }] of this.#endedOut) if (forgetMs < nowMs) this.#endedOut.delete(at)
    const late: string[] = []
    for (const [text, open] of this.#open) {
      const { about } = open.entry
      if (this.#working.has(text) || !(about ? isCompleted(about.at) : isInheritedDone)) continue
      open.lateMs ??= nowMs
      if (nowMs - open.lateMs > (about?.isOut ? WATCHDOG_MS_MAX : LATE_MS)) this.#letGo(text, open)
      else if (!about?.isOut) late.push(text)
    }
    for (const text of late.slice(0, -LATE_MAX)) this.#letGo(text, this.#open.get(text) as Open)
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
    this.#remember(text)
    if (offset < this.position) {
      if (about?.isOut && offset >= this.#marks) this.#endedOut.set(about.at, endedOut(offset))
    } else if (isTaken) this.#journal.complete(offset)
    else this.#open.set(text, { entry, told: undefined, lateMs: undefined })
  }

  /** The turn ended with all that follows. */
  #close(text: string): void {
    const open = this.#open.get(text)
    if (open) this.#journal.complete(open.entry.offset)
    this.#open.delete(text)
    this.#remember(text)
  }

  /** What comes of the turn all the same is no copy any more: rather a call twice than none. */
  #letGo(text: string, { entry }: Open): void {
    this.#journal.complete(entry.offset)
    this.#open.delete(text)
    this.#ended.delete(text)
  }

  /** `told` is the entry that it was told of, `own` the offset of the one that came of it here, if any did. */
  #expectWatchdog({ watched }: Claimant, told: Entry | undefined, own: number | undefined): void {
    if (watched && !watched.isEarly) {
      this.#endedOut.delete(watched.at)
      return
    }
    const at = watched?.at ?? (told?.about?.isOut ? told.about.at : undefined)
    const entry = told?.offset ?? own
    if (at !== undefined && entry !== undefined) this.#endedOut.set(at, endedOut(entry))
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
  // Never so late that it is not known when its watchdog comes.
  return { offset, forgetMs: performance.now() + WATCHDOG_MS_MAX }
}
