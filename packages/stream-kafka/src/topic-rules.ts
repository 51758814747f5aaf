import { PosthasteError } from '@posthaste/core'

const READABLE: ReadonlySet<string> = new Set(['producer', 'uncompressed', 'gzip'])

export type TopicKind = 'calls' | 'journal' | 'timers'

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
  if (kind !== 'journal') {
    const what = kind === 'calls' ? 'calls that wait' : 'timers that wait'
    for (const setting of ['retention.ms', 'retention.bytes']) {
      if (isLimit(found.get(setting))) refuse(setting, '-1', `${what} would be dropped; what is done is removed anyway`)
    }
  }
  const warnings: string[] = []
  const insync = Number(found.get('min.insync.replicas') ?? 1)
  if (replicas > 1 && insync < 2) {
    warnings.push(
      `min.insync.replicas is ${insync} of ${replicas}: what was accepted is lost if one broker is. Set it to 2 or more`,
    )
  }
  if (found.get('message.timestamp.type') === 'CreateTime') {
    warnings.push('message.timestamp.type is CreateTime: when a record was taken is told by the clock of its producer')
  }
  return { warnings }
}

function isLimit(value: string | undefined): boolean {
  return value !== undefined && Number(value) >= 0
}
