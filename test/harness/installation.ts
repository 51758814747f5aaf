import { setTimeout as sleep } from 'node:timers/promises'
import { type Log, PosthasteError } from '@posthaste/core'
import type { Stream } from '@posthaste/stream'
import type { Settings } from './posthaste-process.js'

export type BackendName = 'embedded' | 'nats' | 'kafka'

/** One installation of Posthaste: a stream of its own, which processes share through their settings. */
export interface Installation {
  readonly backend: BackendName
  readonly settings: Settings
  /** Opens the stream beside whoever else has it open, and starts it. It does not join the listeners. */
  open(): Promise<OpenStream>
}

export interface OpenStream {
  readonly stream: Stream
  close(): Promise<void>
}

const ignore = (): void => undefined
/** What the processes log is what counts. */
export const silent: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore }

const AWAY_MS_MAX = 20_000
const AWAY_LOOK_MS = 250

/** Opens the stream of an installation and closes it after `use`. */
export async function withStream<T>(installation: Installation, use: (stream: Stream) => Promise<T>): Promise<T> {
  const { close, stream } = await openOnceThere(installation)
  try {
    return await use(stream)
  } finally {
    await close()
  }
}

/** A broker that came back a moment ago may still not answer: it is asked again, as the processes do. */
async function openOnceThere(installation: Installation): Promise<OpenStream> {
  for (const untilMs = Date.now() + AWAY_MS_MAX; ; await sleep(AWAY_LOOK_MS)) {
    try {
      return await installation.open()
    } catch (error) {
      const isAway = error instanceof PosthasteError && error.code === 'stream-unavailable'
      if (!isAway || Date.now() > untilMs) throw error
    }
  }
}
