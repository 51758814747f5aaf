import { setTimeout as sleep } from 'node:timers/promises'
import { PosthasteError } from '@posthaste/core'
import type { LogName } from '@posthaste/stream'
import type { Admin, ITopicConfig, ITopicMetadata } from 'kafkajs'
import { isMoving } from './kafka-errors.js'
import type { Settings } from './kafka-options.js'
import type { TopicNames } from './topic-names.js'
import { checkConfig, type FoundConfig, type TopicKind } from './topic-rules.js'
import type { Watermarks } from './watermarks.js'

/** `ConfigResourceTypes.TOPIC` of the library. */
const TOPIC = 2
const LEADERS_LOOK_MS = 50
const LEADERS_WAIT_MS = 30_000
/** What a record has besides its value, and a batch besides its records. */
const RESERVE_BYTES = 8_192
/** For as long as that, what was written to ask for the time is kept. */
const CLOCK_KEPT_MS = 3_600_000
/** What is written to `control` is compacted after as long: whoever starts reads all that is there. */
const CONTROL_WHOLE_MS = 3_600_000
/** That there is nothing any more under a key of `control` is kept for whoever follows and was away. */
const REMOVAL_KEPT_MS = 7 * 86_400_000
/** Of the time for which claims are kept: how much longer one may stay, for they go together. */
const CLAIMS_TOGETHER = 1 / 24

/** What the topics are like once they are there. */
export interface Topics {
  /** Of `calls` and of the journal. */
  readonly partitions: number
  readonly logPartitions: Readonly<Record<LogName, number>>
  /** By topic. */
  readonly lanePartitions: ReadonlyMap<string, number>
  readonly recordBytesMax: number
}

interface Wanted {
  readonly topic: string
  readonly kind: TopicKind
  readonly partitions: number
}

/**
 * Creates the topics that are missing and checks those that are there.
 * @throws PosthasteError `stream-unfit` if one would break a promise
 */
export async function prepareTopics(
  admin: Admin,
  watermarks: Watermarks,
  names: TopicNames,
  settings: Settings,
): Promise<Topics> {
  const wanted = wantedTopics(names, settings)
  const existing = new Set(await admin.listTopics())
  const missing = wanted.filter(({ topic }) => !existing.has(topic))
  if (missing.length > 0) await create(admin, missing, settings)
  const metadata = await leaders(admin, wanted)
  // A leader that was just named may not know of it: what is asked of it shows.
  for (const { topic } of missing) await led(watermarks, topic)
  const partitionsOf = (topic: string): number => metadata.get(topic)?.partitions.length ?? 0
  const partitions = partitionsOf(names.calls)
  if (partitionsOf(names.journal) !== partitions) {
    throw new PosthasteError(
      'stream-unfit',
      `${names.calls} has ${partitions} partitions and ${names.journal} ${partitionsOf(names.journal)}: they must have as many. ` +
        'Add partitions to the one that has fewer: kafka-topics.sh --alter --topic <topic> --partitions <number>',
    )
  }
  const bytes = await checkTopics(admin, wanted, metadata, settings)
  return {
    partitions,
    logPartitions: {
      calls: partitions,
      journal: partitions,
      control: partitionsOf(names.control),
      claims: partitionsOf(names.claims),
    },
    lanePartitions: new Map(names.lanes.map(({ topic }) => [topic, partitionsOf(topic)])),
    recordBytesMax: bytes - RESERVE_BYTES,
  }
}

function wantedTopics(names: TopicNames, { partitions, timerPartitions }: Settings): Wanted[] {
  return [
    { topic: names.calls, kind: 'calls', partitions },
    { topic: names.journal, kind: 'journal', partitions },
    { topic: names.control, kind: 'control', partitions },
    { topic: names.claims, kind: 'claims', partitions },
    // One, so that all processes ask the same broker.
    { topic: names.clock, kind: 'clock', partitions: 1 },
    ...names.lanes.map(({ topic }) => ({ topic, kind: 'timers' as const, partitions: timerPartitions })),
  ]
}

async function create(admin: Admin, missing: readonly Wanted[], settings: Settings): Promise<void> {
  const { brokers } = await admin.describeCluster()
  const replicas = settings.replicas ?? Math.min(3, brokers.length)
  const insync = settings.minInsyncReplicas ?? (replicas > 2 ? 2 : 1)
  const topics = missing.map(({ topic, kind, partitions }): ITopicConfig => {
    const config = {
      ...cleanupOf(kind, settings, partitions),
      'message.timestamp.type': 'LogAppendTime',
      'min.insync.replicas': insync,
    }
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value: String(value) }))
    return { topic, numPartitions: partitions, replicationFactor: replicas, configEntries }
  })
  try {
    await admin.createTopics({ topics, waitForLeaders: false })
  } catch (error) {
    // Another process may create them at the same time.
    const existing = new Set(await admin.listTopics())
    if (!missing.every(({ topic }) => existing.has(topic))) throw error
  }
}

/** Only whole segments go, or are compacted, so these are short where it matters. */
function cleanupOf(kind: TopicKind, settings: Settings, partitions: number): Record<string, number | string> {
  const { claimRetentionMs, journalRetention } = settings
  const kept = (ms: number, bytes: number) => ({
    'cleanup.policy': 'delete',
    'retention.ms': ms,
    'retention.bytes': bytes,
  })
  const segment = (ms: number) => ({ 'segment.ms': Math.ceil(ms) })
  switch (kind) {
    case 'journal':
      return kept(journalRetention.ageMs, Math.ceil(journalRetention.bytes / partitions))
    case 'control':
      return {
        'cleanup.policy': 'compact',
        'min.cleanable.dirty.ratio': '0.1',
        'delete.retention.ms': REMOVAL_KEPT_MS,
        ...segment(CONTROL_WHOLE_MS),
      }
    case 'claims':
      return { ...kept(claimRetentionMs, -1), ...segment(claimRetentionMs * CLAIMS_TOGETHER) }
    case 'clock':
      return { ...kept(CLOCK_KEPT_MS, -1), ...segment(CLOCK_KEPT_MS) }
    default:
      return kept(-1, -1)
  }
}

/** Waits until every partition has a leader: of what was created a moment ago the brokers may not all know. */
async function leaders(admin: Admin, wanted: readonly Wanted[]): Promise<Map<string, ITopicMetadata>> {
  const untilMs = performance.now() + LEADERS_WAIT_MS
  for (;;) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: wanted.map(({ topic }) => topic) })
      const isReady = ({ partitions }: ITopicMetadata): boolean =>
        partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)
      if (topics.length === wanted.length && topics.every(isReady)) {
        return new Map(topics.map((each) => [each.name, each]))
      }
    } catch (error) {
      if (performance.now() > untilMs) throw error
    }
    if (performance.now() > untilMs) {
      throw new PosthasteError('stream-unavailable', 'Some partitions of the topics have no leader.')
    }
    await sleep(LEADERS_LOOK_MS)
  }
}

async function led(watermarks: Watermarks, topic: string): Promise<void> {
  const untilMs = performance.now() + LEADERS_WAIT_MS
  for (;;) {
    try {
      await watermarks.of(topic)
      return
    } catch (error) {
      if (!isMoving(error) || performance.now() > untilMs) throw error
    }
  }
}

/** Returns the smallest limit of a record batch. Nothing that has a size goes to the topic of clocks. */
async function checkTopics(
  admin: Admin,
  wanted: readonly Wanted[],
  metadata: ReadonlyMap<string, ITopicMetadata>,
  settings: Settings,
): Promise<number> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: wanted.map(({ topic }) => ({ type: TOPIC, name: topic })),
  })
  let bytes = Number.POSITIVE_INFINITY
  for (const { resourceName, configEntries } of resources) {
    const topic = wanted.find((each) => each.topic === resourceName)
    if (!topic) continue
    const found: FoundConfig = new Map(configEntries.map(({ configName, configValue }) => [configName, configValue]))
    const replicas = metadata.get(resourceName)?.partitions[0]?.replicas.length ?? 1
    const { warnings } = checkConfig(resourceName, topic.kind, found, replicas, settings.claimRetentionMs)
    for (const warning of warnings) settings.log.warn({ topic: resourceName }, warning)
    if (topic.kind !== 'clock') bytes = Math.min(bytes, Number(found.get('max.message.bytes') ?? bytes))
  }
  return bytes
}
