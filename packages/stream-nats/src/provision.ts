import { isDeepStrictEqual } from 'node:util'
import type { LogName } from '@posthaste/stream'
import {
  DiscardPolicy,
  type JetStreamManager,
  NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from 'nats'
import { callFault, unfit } from './faults.js'
import type { Naming } from './naming.js'
import type { NatsStreamOptions } from './options.js'

/** What the library's type does not know yet of a stream. */
export interface StreamSettings extends Partial<StreamConfig> {
  readonly allow_atomic?: boolean
  readonly allow_msg_schedules?: boolean
  readonly allow_msg_ttl?: boolean
  readonly persist_mode?: string
}

/** A stream as Posthaste needs it. */
interface Wanted {
  readonly name: string
  /** Must be so: a promise rests on it. Refused if it is not. */
  readonly fixed: StreamSettings
  /** Is made so where it is not: nothing is lost by that. */
  readonly adjusted: StreamSettings
}

const DUPLICATE_WINDOW_MS = 120_000
const CLAIM_RETENTION_MS = 24 * 3_600_000
const NOT_FOUND = 10059
const NAME_IN_USE = 10058

/** Nothing may ever be removed but by us. */
const KEEPS_ALL: StreamSettings = {
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  discard: DiscardPolicy.Old,
  max_msgs: -1,
  max_msgs_per_subject: -1,
  max_msg_size: -1,
  no_ack: false,
  sealed: false,
  deny_purge: false,
}

const NO_LIMIT: StreamSettings = { max_age: 0, max_bytes: -1 }

/** The settings of all streams. `discard: old` removes nothing where there is no limit that could be hit. */
export function wantedStreams(
  naming: Naming,
  options: Pick<NatsStreamOptions, 'replicas' | 'journalRetention' | 'claimRetentionMs'>,
): Wanted[] {
  const { replicas = 1, journalRetention, claimRetentionMs = CLAIM_RETENTION_MS } = options
  const { ageMs, bytes } = journalRetention
  const wanted = (log: LogName, fixed: StreamSettings, adjusted: StreamSettings): Wanted => ({
    name: naming.stream(log),
    fixed: { ...KEEPS_ALL, subjects: naming.subjects(log), num_replicas: replicas, ...fixed },
    adjusted: { allow_direct: true, allow_atomic: true, ...adjusted },
  })
  return [
    wanted('calls', NO_LIMIT, {
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
      allow_msg_schedules: true,
      allow_rollup_hdrs: true,
    }),
    wanted('journal', {}, { ...keptFor(ageMs), max_bytes: Number.isFinite(bytes) ? bytes : -1 }),
    wanted('control', { ...NO_LIMIT, max_msgs_per_subject: 1 }, { allow_msg_ttl: true }),
    wanted('claims', { max_bytes: -1 }, keptFor(claimRetentionMs)),
  ]
}

/** The server refuses an age below the window in which it looks for duplicates. */
function keptFor(ageMs: number): StreamSettings {
  return {
    max_age: Number.isFinite(ageMs) ? nanos(ageMs) : 0,
    duplicate_window: nanos(Math.min(DUPLICATE_WINDOW_MS, ageMs)),
  }
}

/**
 * Creates the streams that are missing, adjusts what can be adjusted, and refuses what would break a promise.
 * @throws PosthasteError `stream-unfit`, which names the setting, what was found, what is wanted, and the remedy
 */
export async function provision(manager: JetStreamManager, streams: readonly Wanted[]): Promise<void> {
  for (const wanted of streams) {
    const found = (await settingsOf(manager, wanted.name)) ?? (await create(manager, wanted))
    if (!found) continue
    checkFixed(wanted, found)
    const changed = differences(wanted.adjusted, found)
    if (changed.length > 0) {
      await manager.streams.update(wanted.name, wanted.adjusted as StreamConfig)
    }
  }
}

/** How many of `streams` are not there. */
export async function countMissing(manager: JetStreamManager, streams: readonly Wanted[]): Promise<number> {
  const found = await Promise.all(streams.map(({ name }) => settingsOf(manager, name)))
  return found.filter((settings) => settings === undefined).length
}

/** The sequence that the next message of a stream will have. @throws PosthasteError `stream-unavailable` */
export async function endOf(manager: JetStreamManager, stream: string): Promise<number> {
  try {
    return (await manager.streams.info(stream)).state.last_seq + 1
  } catch (error) {
    throw callFault(error)
  }
}

async function settingsOf(manager: JetStreamManager, name: string): Promise<StreamSettings | undefined> {
  try {
    return (await manager.streams.info(name)).config
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return undefined
    throw error
  }
}

/** Resolves with the settings of the stream if another was quicker. */
async function create(manager: JetStreamManager, wanted: Wanted): Promise<StreamSettings | undefined> {
  try {
    await manager.streams.add({ name: wanted.name, ...wanted.fixed, ...wanted.adjusted })
    return undefined
  } catch (error) {
    if (codeOf(error) !== NAME_IN_USE) throw error
    return settingsOf(manager, wanted.name)
  }
}

function checkFixed({ name, fixed }: Wanted, found: StreamSettings): void {
  for (const setting of differences(fixed, found)) {
    const have = found[setting]
    const want = fixed[setting]
    // More copies than asked for break nothing.
    if (setting === 'num_replicas' && Number(have) > Number(want)) continue
    throw unfit(
      `The NATS stream ${name} has ${setting} ${JSON.stringify(have)}; ${JSON.stringify(want)} is wanted. ` +
        'Change it with `nats stream edit`, or use another prefix.',
    )
  }
  if (found.mirror || found.subject_transform || (found.sources?.length ?? 0) > 0) {
    throw unfit(`The NATS stream ${name} mirrors, sources or transforms. Use another prefix.`)
  }
}

function differences(wanted: StreamSettings, found: StreamSettings): (keyof StreamSettings)[] {
  return (Object.keys(wanted) as (keyof StreamSettings)[]).filter(
    (setting) => !isSame(setting, found[setting], wanted[setting]),
  )
}

function isSame(setting: keyof StreamSettings, found: unknown, wanted: unknown): boolean {
  if (setting === 'subjects')
    return isDeepStrictEqual([...(found as string[])].sort(), [...(wanted as string[])].sort())
  // The server leaves out what is false.
  return (found ?? false) === wanted
}

export function codeOf(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined
}
