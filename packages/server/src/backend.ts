import type { Log } from '@posthaste/core'
import { Environment, LmdbCheckpointStore } from '@posthaste/storage'
import type { Stream } from '@posthaste/stream'
import { EmbeddedStream } from '@posthaste/stream-embedded'
import type { Config } from './config/table.js'

/** A stream and what it stands on. */
export interface Backend {
  readonly stream: Stream
  /** Stops the stream and closes what it stands on. Idempotent. */
  close(): Promise<void>
}

/** Opens the stream that the configuration names: the only place that knows the backends. */
export function openBackend(config: Config, log: Log): Backend {
  const environment = new Environment({ directory: config.dataDir, reserveBytes: config.diskReserve })
  const stream = new EmbeddedStream({
    environment,
    checkpoints: new LmdbCheckpointStore(environment),
    journalRetention: { ageMs: config.journalAge, bytes: config.journalSize },
    log,
  })
  return {
    stream,
    async close() {
      await stream.stop()
      await environment.close()
    },
  }
}
