import { Environment, InvocationView } from '@posthaste/storage'
import type { Config } from './config/table.js'

export interface OpenView {
  readonly view: InvocationView
  close(): Promise<void>
}

/** Opens the view in the data directory: once in each thread. */
export function openView(config: Config): OpenView {
  const { claimAge, dataDir, diskReserve, viewAge, viewSize } = config
  const environment = new Environment({ directory: dataDir, file: fileOf(config), reserveBytes: diskReserve })
  const view = new InvocationView({ environment, retention: { ageMs: viewAge, bytes: viewSize, claimAgeMs: claimAge } })
  return { view, close: () => environment.close() }
}

/** Installations on brokers may share a directory; that of the embedded stream is one installation. */
function fileOf({ prefix, stream }: Config): string {
  return stream === 'embedded' ? 'view.lmdb' : `view-${stream.replace(/[^A-Za-z0-9]+/g, '-')}-${prefix}.lmdb`
}
