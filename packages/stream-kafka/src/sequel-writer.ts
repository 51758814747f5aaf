import type { Effects, NewRecord } from '@posthaste/stream'
import type { EffectRecords, Place } from './effect-records.js'
import type { OwnedPartition } from './owned-partition.js'
import type { Outgoing } from './record-codec.js'
import type { Writing } from './writing.js'

/** How long it goes on once the partition was lost: the next owner finds the entry, whenever it comes. */
const LOST_GIVE_UP_MS = 60_000

export interface SequelParts {
  readonly writing: Writing
  readonly records: EffectRecords
  /** The partition as this member owns it now, if it does. */
  owned(partition: number): OwnedPartition | undefined
}

/** A place in a partition that may be lost. */
export interface LosablePlace extends Place {
  readonly partition: Place['partition'] & Pick<OwnedPartition, 'lostMs'>
}

/** Writes what follows once it is certain that it does. */
export class SequelWriter {
  readonly #parts: SequelParts

  constructor(parts: SequelParts) {
    this.#parts = parts
  }

  /**
   * Timers, children and notes; then control, for that may say that it is done. Resolves false if the partition was lost,
   * or all was stopped, for too long.
   */
  async write(effects: Effects, place: LosablePlace): Promise<boolean> {
    const { records } = this.#parts
    if (!(await this.send(records.sequels(effects, place), effects.notes, place))) return false
    return this.send(records.control(effects), [], place)
  }

  /** Stores `sequels` and `notes` together. */
  async send(
    sequels: readonly Outgoing[],
    notes: readonly NewRecord[] | undefined,
    place: LosablePlace,
  ): Promise<boolean> {
    const noted = this.#parts.records.notes(notes, place)
    if (sequels.length + noted.length === 0) return true
    if (!(await this.#parts.writing.untilStored([...sequels, ...noted], () => hasGivenUp(place)))) return false
    this.#noted(noted, place)
    return true
  }

  /** The owner of a partition knows of what stands in the journal, and that nothing follows from these. */
  #noted(notes: readonly Outgoing[], { partition: { partition } }: Place): void {
    const owner = this.#parts.owned(partition)
    if (notes.length === 0 || owner?.state !== 'owned') return
    const offsets = notes.map(({ offset }) => offset)
    void owner.journal.stored(offsets)
    owner.ledger.passed(offsets)
  }
}

/** Whether a partition was lost too long ago for anything more to be written. */
export function hasGivenUp({ partition: { lostMs } }: LosablePlace): boolean {
  return lostMs !== undefined && performance.now() - lostMs > LOST_GIVE_UP_MS
}
