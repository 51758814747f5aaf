import { PosthasteError } from '@posthaste/core'
import { Environment, InvocationView } from '@posthaste/storage'
import type { Config } from './config/table.js'
import { sealerOf } from './sealing.js'

export interface OpenView {
  readonly view: InvocationView
  close(): Promise<void>
}

/**
 * Opens the view in the data directory: once in each thread.
 * @throws PosthasteError `stream-unfit`, with the remedy, if its file cannot be read
 */
export function openView(config: Config): OpenView {
  const { claimAge, viewAge, viewSize } = config
  const environment = openFile(config)
  const sealer = sealerOf(config)
  const view = new InvocationView({
    environment,
    retention: { ageMs: viewAge, bytes: viewSize, claimAgeMs: claimAge },
    ...(sealer && { sealer }),
  })
  return { view, close: () => environment.close() }
}

function openFile(config: Config): Environment {
  const { dataDir: directory, diskReserve: reserveBytes } = config
  try {
    return new Environment({ directory, file: fileOf(config), reserveBytes })
  } catch (cause) {
    if (!(cause instanceof PosthasteError)) throw cause
    const detail = `${cause.message} Remove it: the view is made again from the logs.`
    throw new PosthasteError(cause.code, detail, { cause })
  }
}

/** Installations on brokers may share a directory; that of the embedded stream is one installation. */
function fileOf({ prefix, stream }: Config): string {
  return stream === 'embedded' ? 'view.lmdb' : `view-${stream.replace(/[^A-Za-z0-9]+/g, '-')}-${prefix}.lmdb`
}
