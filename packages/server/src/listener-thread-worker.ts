// The other side of `ListenerThread`: a stream and a listener, told what to do by messages.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { type ErrorCode, PosthasteError } from '@posthaste/core'
import { type Backend, openBackend } from './backend.js'
import type { Config } from './config/table.js'
import { LocalListener } from './listener-part.js'
import { createLogger } from './logger.js'

export interface ThreadData {
  readonly config: Config
}

export interface Ask {
  readonly id: number
  readonly method: 'start' | 'ping' | 'blocked' | 'stop'
  readonly argument?: string | number | undefined
}

export type Reply =
  | { readonly id: number; readonly result: unknown }
  /** A message carries an error's text but not its class: the code tells that it is a PosthasteError. */
  | { readonly id: number; readonly error: Error; readonly code: ErrorCode | undefined }

const { config } = workerData as ThreadData
const port = parentPort as MessagePort
const log = createLogger(config)
let backend: Backend | undefined
let listener: LocalListener | undefined

port.on('message', (ask: Ask) => void answer(ask))

async function answer(ask: Ask): Promise<void> {
  const { id } = ask
  try {
    port.postMessage({ id, result: await work(ask) } satisfies Reply)
  } catch (error) {
    const code = error instanceof PosthasteError ? error.code : undefined
    port.postMessage({ id, error: error as Error, code } satisfies Reply)
  }
  if (ask.method === 'stop') port.close()
}

/** Nothing but a stop is asked before the start, which is asked again while the stream is away. */
async function work({ argument, method }: Ask): Promise<unknown> {
  if (method === 'start') {
    backend ??= await openBackend(config, log)
    listener ??= new LocalListener(config, backend, log)
    await backend.stream.start()
    return listener.start(argument as string)
  }
  if (method === 'ping') return listener?.ping(argument as number)
  if (method === 'blocked') return listener?.blocked()
  await listener?.stop()
  return backend?.close()
}
