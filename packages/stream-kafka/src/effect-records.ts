import type { Effects, NewRecord, NewTimer } from '@posthaste/stream'
import { decideLane } from './lanes.js'
import { partitionOf } from './partition-of.js'
import {
  actedHeaders,
  checkedOutHeaders,
  journalHeaders,
  noteHeaders,
  type Outgoing,
  outgoing,
  timerHeaders,
  watchdogHeaders,
} from './record-codec.js'
import type { TopicNames } from './topic-names.js'
import type { Topics } from './topics.js'

/** What effects follow from: tells where they belong. */
export interface Place {
  /** Offset of the record; `NO_RECORD` if none is in hand. */
  readonly at: number
  /** Whether it was checked out. */
  readonly isOut: boolean
  readonly partition: { readonly partition: number; readonly writer: string }
}

/** Makes the records that deliveries and acts give rise to, each for its topic and partition. */
export class EffectRecords {
  readonly #names: TopicNames
  readonly #topics: Topics

  constructor({ names, topics }: { readonly names: TopicNames; readonly topics: Topics }) {
    this.#names = names
    this.#topics = topics
  }

  entries({ journal = [] }: Effects, { at, isOut, partition: { partition, writer } }: Place): Outgoing[] {
    const about = journalHeaders({ at, isOut, writer })
    return journal.map((record) => outgoing(this.#names.journal, partition, record, about))
  }

  /** The entries of a turn whose record is not in hand. */
  actedEntries({ journal = [] }: Effects, { partition: { partition, writer } }: Place): Outgoing[] {
    return journal.map((record) => outgoing(this.#names.journal, partition, record, actedHeaders(writer)))
  }

  /** What follows from entries, or brings the record back. */
  sequels(effects: Effects, place: Place): Outgoing[] {
    const { children = [], timers = [] } = effects
    const { partition } = place.partition
    const isBack = comesBack(effects, place)
    return [
      ...timers.map((timer) =>
        isBack ? this.watchdog(timer, partition, place.at, true) : this.#timer(timer, partition),
      ),
      ...this.#byKey('calls', children),
    ]
  }

  notes(notes: readonly NewRecord[] = [], { partition: { partition } }: Place): Outgoing[] {
    return notes.map((note) => outgoing(this.#names.journal, partition, note, noteHeaders()))
  }

  control({ control = [] }: Effects): Outgoing[] {
    return this.#byKey('control', control)
  }

  watchdog(timer: NewTimer, partition: number, at: number, isEarly = false): Outgoing {
    const record = this.#timer(timer, partition)
    return { ...record, headers: { ...record.headers, ...watchdogHeaders({ at, isEarly }) } }
  }

  /** The same, to come now. The other still comes at its time. */
  earlyWatchdog(record: NewRecord, { at, partition: { partition } }: Place): Outgoing {
    return outgoing(this.#names.calls, partition, record, watchdogHeaders({ at, isEarly: true }))
  }

  /** Says in the journal that a record was checked out. */
  checkOut({ key, generation, attempt }: NewRecord, { at, partition: { partition } }: Place): Outgoing {
    const note = { key, value: Buffer.alloc(0), ...(generation && { generation }), ...(attempt && { attempt }) }
    return outgoing(this.#names.journal, partition, note, checkedOutHeaders(at))
  }

  #byKey(log: 'calls' | 'control', records: readonly NewRecord[]): Outgoing[] {
    const partitions = this.#topics.logPartitions[log]
    return records.map((record) => outgoing(this.#names[log], partitionOf(record.key, partitions), record))
  }

  #timer(timer: NewTimer, home: number): Outgoing {
    const { topic } = decideLane(this.#names.lanes, timer.dueMs - Date.now())
    const partition = partitionOf(timer.key, this.#topics.lanePartitions.get(topic) ?? 1)
    return outgoing(topic, partition, timer, timerHeaders(timer, home))
  }
}

/**
 * Whether the timers bring back a call that was checked out and did not end. They are watchdogs of it, for its own is still
 * to come: that is dropped once one of these has ended.
 */
export function comesBack({ journal = [], timers = [] }: Effects, { isOut }: Pick<Place, 'isOut'>): boolean {
  return isOut && journal.length === 0 && timers.length > 0
}
