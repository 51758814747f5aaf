import type { Effects, NewRecord, NewTimer } from '@posthaste/stream'
import type { KafkaDelivery } from './kafka-delivery.js'
import { decideLane } from './lanes.js'
import { partitionOf } from './partition-of.js'
import {
  checkedOutHeaders,
  journalHeaders,
  type Outgoing,
  outgoing,
  timerHeaders,
  watchdogHeaders,
} from './record-codec.js'
import type { TopicNames } from './topic-names.js'
import type { Topics } from './topics.js'

/** The parts of a delivery that tell where its effects belong. */
type Place = Pick<KafkaDelivery, 'at' | 'isOut' | 'partition'>

/** Makes the records that deliveries give rise to, each for its topic and partition. */
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

  /** What follows from entries, or brings the record back. */
  sequels(effects: Effects, place: Place): Outgoing[] {
    const { children = [], timers = [] } = effects
    const { partition } = place.partition
    const { calls } = this.#names
    const isBack = comesBack(effects, place)
    return [
      ...timers.map((timer) =>
        isBack ? this.watchdog(timer, partition, place.at, true) : this.#timer(timer, partition),
      ),
      ...children.map((child) => outgoing(calls, partitionOf(child.key, this.#topics.partitions), child)),
    ]
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
