import { Environment, LmdbCheckpointStore } from '@posthaste/storage'
import { EmbeddedStream } from '@posthaste/stream-embedded'
import { type Installation, type OpenStream, silent } from './installation.js'
import { temporaryDirectory } from './temporary-directory.js'

/** An installation in a directory of its own. */
export interface EmbeddedInstallation extends Installation {
  readonly dataDir: string
  open(): Promise<OpenEnvironment>
}

export interface OpenEnvironment extends OpenStream {
  readonly environment: Environment
}

const KEPT_FOREVER = { ageMs: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }

/** It goes away when the test is over. */
export function createEmbedded(t: { after(work: () => void): unknown }): EmbeddedInstallation {
  const dataDir = temporaryDirectory(t)
  return { backend: 'embedded', dataDir, settings: { dataDir }, open: () => openDirectory(dataDir) }
}

async function openDirectory(dataDir: string): Promise<OpenEnvironment> {
  const environment = new Environment({ directory: dataDir, reserveBytes: 0 })
  const checkpoints = new LmdbCheckpointStore(environment)
  const stream = new EmbeddedStream({ environment, checkpoints, journalRetention: KEPT_FOREVER, log: silent })
  const close = async (): Promise<void> => {
    await stream.stop()
    await environment.close()
  }
  try {
    await stream.start()
  } catch (error) {
    await close()
    throw error
  }
  return { stream, environment, close }
}
