import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Log, PosthasteError } from '@posthaste/core'
import type { Stream } from '@posthaste/stream'
import type { Config } from './config/table.js'

/** What the module of a third party's backend exports. */
export interface StreamModule {
  openStream(context: StreamModuleContext): Stream | Promise<Stream>
}

export interface StreamModuleContext {
  /** `POSTHASTE_STREAM_OPTIONS`, the JSON that it is. */
  readonly options: unknown
  /** What names of topics, streams or tables begin with, so that installations can share what they stand on. */
  readonly prefix: string
  readonly journalRetention: { readonly ageMs: number; readonly bytes: number }
  readonly log: Log
}

/**
 * Opens a third party's backend: `config.stream` is the specifier of a module, of a package or a path, seen from the
 * directory that Posthaste was started in.
 * @throws PosthasteError `invalid-configuration`
 */
export async function openModule(config: Config, log: Log): Promise<Stream> {
  const { journalAge, journalSize, prefix, stream: specifier, streamOptions } = config
  const { openStream } = await importModule(specifier)
  if (typeof openStream !== 'function') throw notUsable(specifier, 'it exports no function openStream')
  const journalRetention = { ageMs: journalAge, bytes: journalSize }
  return openStream({ options: JSON.parse(streamOptions), prefix, journalRetention, log })
}

async function importModule(specifier: string): Promise<Partial<StreamModule>> {
  try {
    const isPath = /^\.{0,2}\//.test(specifier)
    const path = isPath ? resolve(specifier) : createRequire(join(process.cwd(), 'posthaste.js')).resolve(specifier)
    return (await import(pathToFileURL(path).href)) as Partial<StreamModule>
  } catch (error) {
    throw notUsable(specifier, (error as Error).message)
  }
}

function notUsable(specifier: string, why: string): PosthasteError {
  const known = 'The streams that come with Posthaste are embedded, kafka and nats'
  return new PosthasteError('invalid-configuration', `The stream "${specifier}" cannot be used: ${why}. ${known}.`)
}
