import type { Acted, Effects, Turn } from '@posthaste/stream'
import { type Claimant, NO_RECORD } from './claimant.js'
import type { EffectRecords } from './effect-records.js'
import type { GroupMember } from './group-member.js'
import type { OwnedPartition } from './owned-partition.js'
import { partitionOf } from './partition-of.js'
import { turnText } from './record-codec.js'
import type { LosablePlace, SequelWriter } from './sequel-writer.js'
import type { Topics } from './topics.js'
import type { Writing } from './writing.js'

export interface ActsParts {
  readonly writing: Writing
  readonly records: EffectRecords
  readonly sequels: SequelWriter
  readonly member: GroupMember
  readonly topics: Topics
  /** The partition as this member owns it now, if it does. */
  owned(partition: number): OwnedPartition | undefined
}

/** What is done for a turn whose record is not in hand. */
interface Act extends Claimant, LosablePlace {
  readonly partition: OwnedPartition
  readonly turn: string
  readonly effects: Effects
}

/**
 * Writes what follows from turns whose record waits for its time, or in line: only the owner of their partition may, who
 * would be given the record. The journal first, which decides, then the rest. A delivery of the turn is not begun
 * meanwhile; afterwards it is a copy, if the turn ended.
 */
export class Acts {
  readonly #parts: ActsParts

  constructor(parts: ActsParts) {
    this.#parts = parts
  }

  act(turn: Turn, effects: Effects): Promise<Acted> {
    const { owned, topics, writing } = this.#parts
    const partition = owned(partitionOf(turn.key, topics.partitions))
    if (!partition) return Promise.resolve('elsewhere')
    const text = turnText(turn)
    const act: Act = { at: NO_RECORD, watched: undefined, isOut: false, partition, turn: text, effects }
    return writing.track(partition.acts.run(text, () => this.#begin(turn, act)))
  }

  async #begin(turn: Turn, act: Act): Promise<Acted> {
    const { ledger } = act.partition
    if (!this.#mayBegin(act)) return 'elsewhere'
    const ended = await act.partition.endOf(act.turn)
    if (ended) return ended
    // It may have been lost while that was looked up.
    if (!this.#mayBegin(act)) return 'elsewhere'
    try {
      return ledger.begin(turn, act) === 'fresh' ? await this.#write(act) : 'elsewhere'
    } finally {
      ledger.gaveUp(act, act.turn)
    }
  }

  /** Not for a turn that is in work here: whoever has it in hand is to complete it. */
  #mayBegin({ partition: { ledger, state }, turn }: Act): boolean {
    const { member, writing } = this.#parts
    return state === 'owned' && member.isTrusted && !writing.isStopped && !ledger.isWorking(turn)
  }

  /**
   * What is begun goes on if the partition is lost meanwhile: the next owner waits a moment, and finds the entry then or in
   * the gap before its own. It writes nothing that follows from it.
   */
  async #write(act: Act): Promise<Acted> {
    const { effects, partition, turn } = act
    const { records, sequels, writing } = this.#parts
    const entries = records.actedEntries(effects, act)
    const offsets = (): number[] => entries.map(({ offset }) => offset)
    if (entries.length > 0) {
      if (!(await writing.untilStored(entries, () => partition.state === 'lost'))) return 'elsewhere'
      const isKnown = await partition.journal.stored(offsets())
      if (partition.ledger.isTaken(turn)) return this.#takenByAnother(act, offsets())
      if (!isKnown) return 'elsewhere'
    }
    if (!(await sequels.write(effects, act))) return 'elsewhere'
    partition.ledger.completed(act, turn, offsets(), false)
    partition.isDirty = true
    return 'done'
  }

  /** An owner of before recorded the turn first, late: the entry that was written here is history. */
  async #takenByAnother({ partition, turn }: Act, offsets: readonly number[]): Promise<Acted> {
    partition.ledger.passed(offsets)
    partition.isDirty = true
    return (await partition.endOf(turn)) ?? 'elsewhere'
  }
}
