import { setTimeout as sleep } from 'node:timers/promises'
import { type Call, decodeCall, type Log } from '@posthaste/core'
import { Environment, LmdbCheckpointStore } from '@posthaste/storage'
import type { Progress, Stream } from '@posthaste/stream'
import { EmbeddedStream } from '@posthaste/stream-embedded'

/** What the listeners' group is called. */
const GROUP = 'listeners'
const DRAINED_LOOK_MS = 100
const NEVER = { ageMs: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }
const ignore = (): void => undefined
const silent: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** What stands in a data directory and is still to be done. */
export interface StoredState {
  readonly progress: Progress
  /** Batches on the timers. */
  readonly timers: number
  /** Records on `calls` that are not below the checkpoint. */
  readonly calls: readonly Call[]
}

/** Opens the stream in a data directory, beside whoever else has it open, and closes it after `use`. */
export async function withStream<T>(
  dataDir: string,
  use: (stream: Stream, environment: Environment) => Promise<T>,
): Promise<T> {
  const environment = new Environment({ directory: dataDir, reserveBytes: 0 })
  const checkpoints = new LmdbCheckpointStore(environment)
  const stream = new EmbeddedStream({ environment, checkpoints, journalRetention: NEVER, log: silent })
  try {
    await stream.start()
    return await use(stream, environment)
  } finally {
    await stream.stop()
    await environment.close()
  }
}

/** Reads how far the listeners have come. It does not join them. */
export function readState(dataDir: string): Promise<StoredState> {
  return withStream(dataDir, async (stream, environment) => {
    const consumer = await stream.consume(GROUP)
    const progress = (await consumer.progress())[0] as Progress
    const timers = [...environment.table<[number, number]>('timers').getKeys()].length
    const calls: Call[] = []
    for await (const { records } of stream.follow('calls', String(progress.committed), { untilEnd: true })) {
      for (const record of records) calls.push(decodeCall(record.value, record).call)
    }
    return { progress, timers, calls }
  })
}

/**
 * Resolves with the state once nothing is left to be done and nothing was added for a moment.
 * @throws Error if that takes longer than `timeoutMs`
 */
export async function drained(dataDir: string, timeoutMs: number): Promise<StoredState> {
  const untilMs = performance.now() + timeoutMs
  let before = await readState(dataDir)
  for (;;) {
    await sleep(DRAINED_LOOK_MS)
    const state = await readState(dataDir)
    // The parts of a state are not read as one: what leaves the timers may reach `calls` in between.
    if (isDrained(before) && isDrained(state) && before.progress.end === state.progress.end) return state
    if (performance.now() > untilMs)
      throw new Error(`Not drained: ${state.timers} timers, ${state.calls.length} calls.`)
    before = state
  }
}

function isDrained({ progress, timers }: StoredState): boolean {
  return timers === 0 && progress.committed === progress.end
}
