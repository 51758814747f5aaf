import { PosthasteError } from '@posthaste/core'
import type { LogName } from '@posthaste/stream'

const READABLE: ReadonlySet<string> = new Set(['producer', 'uncompressed', 'gzip'])

/** What stands in topics that nothing but completing may remove. */
const WAITS: Readonly<Partial<Record<TopicKind, string>>> = { calls: 'calls that wait', timers: 'timers that wait' }

export type TopicKind = LogName | 'timers' | 'clock'

/** Names and values as the broker tells them. */
export type FoundConfig = ReadonlyMap<string, string>

/**
 * Checks the settings of a topic against what is promised.
 * @throws PosthasteError `stream-unfit` that names the setting and the command that mends it
 */
export function checkConfig(
  topic: string,
  kind: TopicKind,
  found: FoundConfig,
  replicas: number,
  claimRetentionMs = 0,
): { warnings: string[] } {
  const refuse = (setting: string, wanted: string, why: string): never => {
    const mend = `kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config ${setting}=${wanted}`
    const text = `${topic} has ${setting}=${found.get(setting)} and must have ${wanted}: ${why}. Mend it with: ${mend}`
    throw new PosthasteError('stream-unfit', text)
  }
  const cleanup = found.get('cleanup.policy')
  if (kind === 'control') {
    if (cleanup !== 'compact')
      refuse('cleanup.policy', 'compact', 'the last record of each key must stay, and no other')
  } else if (cleanup?.includes('compact')) {
    refuse('cleanup.policy', 'delete', 'compaction would remove records that are still needed')
  }
  const compression = found.get('compression.type') ?? 'producer'
  if (!READABLE.has(compression)) refuse('compression.type', 'producer', 'nothing else but gzip can be read')
  const what = WAITS[kind]
  if (what !== undefined) {
    for (const setting of ['retention.ms', 'retention.bytes']) {
      if (isLimit(found.get(setting))) refuse(setting, '-1', `${what} would be dropped; what is done is removed anyway`)
    }
  }
  const timestamps = found.get('message.timestamp.type')
  if (kind === 'clock' && timestamps === 'CreateTime') {
    refuse('message.timestamp.type', 'LogAppendTime', 'the time of the brokers cannot be told otherwise')
  }
  const warnings: string[] = []
  const insync = Number(found.get('min.insync.replicas') ?? 1)
  if (kind !== 'clock' && replicas > 1 && insync < 2) {
    warnings.push(
      `min.insync.replicas is ${insync} of ${replicas}: what was accepted is lost if one broker is. Set it to 2 or more`,
    )
  }
  if (kind === 'claims' && isLimit(found.get('retention.ms')) && Number(found.get('retention.ms')) < claimRetentionMs) {
    warnings.push(
      `retention.ms is ${found.get('retention.ms')}: keys are forgotten sooner than they are to be. Set it to ${claimRetentionMs}`,
    )
  }
  if (timestamps === 'CreateTime') {
    warnings.push('message.timestamp.type is CreateTime: when a record was taken is told by the clock of its producer')
  }
  return { warnings }
}

function isLimit(value: string | undefined): boolean {
  return value !== undefined && Number(value) >= 0
}
