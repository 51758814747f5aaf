import { PosthasteError } from '@posthaste/core'

const READABLE: ReadonlySet<string> = new Set(['producer', 'uncompressed', 'gzip'])

/** What stands in topics that nothing but completing may remove. */
const WAITS: Readonly<Partial<Record<TopicKind, string>>> = { calls: 'calls that wait', timers: 'timers that wait' }

export type TopicKind = 'calls' | 'journal' | 'timers' | 'clock'

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
): { warnings: string[] } {
  const refuse = (setting: string, wanted: string, why: string): never => {
    const mend = `kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config ${setting}=${wanted}`
    const text = `${topic} has ${setting}=${found.get(setting)} and must have ${wanted}: ${why}. Mend it with: ${mend}`
    throw new PosthasteError('stream-unfit', text)
  }
  if (found.get('cleanup.policy')?.includes('compact')) {
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
  if (timestamps === 'CreateTime') {
    warnings.push('message.timestamp.type is CreateTime: when a record was taken is told by the clock of its producer')
  }
  return { warnings }
}

function isLimit(value: string | undefined): boolean {
  return value !== undefined && Number(value) >= 0
}
