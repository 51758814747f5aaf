import { setTimeout as sleep } from 'node:timers/promises'
import { type Call, decodeCall } from '@posthaste/core'
import type { Progress } from '@posthaste/stream'
import type { EmbeddedInstallation } from './embedded-installation.js'

/** What the listeners' group is called. */
const GROUP = 'listeners'
const DRAINED_LOOK_MS = 100

/** What stands in a data directory and is still to be done. */
export interface StoredState {
  readonly progress: Progress
  /** Batches on the timers. */
  readonly timers: number
  /** Records on `calls` that are not below the checkpoint. */
  readonly calls: readonly Call[]
}

/** Reads how far the listeners have come. It does not join them. */
export async function readState(installation: EmbeddedInstallation): Promise<StoredState> {
  const { close, environment, stream } = await installation.open()
  try {
    const consumer = await stream.consume(GROUP)
    const progress = (await consumer.progress())[0] as Progress
    const timers = [...environment.table<[number, number]>('timers').getKeys()].length
    const calls: Call[] = []
    for await (const { records } of stream.follow('calls', String(progress.committed), { untilEnd: true })) {
      for (const record of records) calls.push(decodeCall(record.value, record).call)
    }
    return { progress, timers, calls }
  } finally {
    await close()
  }
}

/**
 * Resolves with the state once nothing is left to be done and nothing was added for a moment.
 * @throws Error if that takes longer than `timeoutMs`
 */
export async function drained(installation: EmbeddedInstallation, timeoutMs: number): Promise<StoredState> {
  const untilMs = performance.now() + timeoutMs
  let before = await readState(installation)
  for (;;) {
    await sleep(DRAINED_LOOK_MS)
    const state = await readState(installation)
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
