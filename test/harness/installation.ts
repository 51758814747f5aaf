import type { Log } from '@posthaste/core'
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

/** Opens the stream of an installation and closes it after `use`. */
export async function withStream<T>(installation: Installation, use: (stream: Stream) => Promise<T>): Promise<T> {
  const { close, stream } = await installation.open()
  try {
    return await use(stream)
  } finally {
    await close()
  }
}
