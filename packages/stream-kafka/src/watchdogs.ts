import type { Log } from '@posthaste/core'
import type { KafkaMessage } from 'kafkajs'
import type { Completer } from './completer.js'
import type { OwnedPartition } from './owned-partition.js'
import type { QueuedWatchdog } from './record-queue.js'
import type { TopicNames } from './topic-names.js'
import type { Watermarks } from './watermarks.js'

export interface WatchdogParts {
  readonly completer: Completer
  readonly names: TopicNames
  readonly watermarks: Watermarks
  readonly log: Log
}

/**
 * A watchdog has come due. While its call runs here, or the record whose place it took is still to be worked on, it is
 * put off; if that has ended it is done with; else the record is delivered. To know, the journal must have been read to
 * its end: an owner of before may have recorded the end.
 *
 * One that is early is never put off: the other is still to come, and the end of a call that runs brings one more.
 */
export async function watchdogCame(
  partition: OwnedPartition,
  watchdog: QueuedWatchdog,
  message: KafkaMessage,
  { completer, log, names, watermarks }: WatchdogParts,
): Promise<void> {
  const { record, watched } = watchdog
  const { at, isEarly } = watched
  try {
    if (!completer.runs(partition.partition, at) && !partition.ledger.hasEndedOut(at)) {
      const journal = await watermarks.of(names.journal)
      await partition.journal.read(partition.ledger.end, journal.get(partition.partition)?.high ?? 0)
    }
  } catch (error) {
    log.warn({ err: error }, 'the journal cannot be read; a watchdog is delivered unseen')
  }
  if (partition.state !== 'owned') return
  const { ledger, prefix } = partition
  const runs = completer.runs(partition.partition, at)
  if (!runs && ledger.hasEndedOut(at)) {
    if (!isEarly) ledger.dropOut(at)
  } else if (!isEarly && (runs || !prefix.isCompleted(at))) {
    const key = message.key?.toString() ?? ''
    if (!(await completer.putOff(partition.partition, { ...record, key }, at))) return
  } else if (!runs) return partition.deliver(watchdog)
  partition.complete(record.offset)
}
