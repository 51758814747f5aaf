// The other side of `PartThread`.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { type ErrorCode, PosthasteError } from '@posthaste/core'

export interface Ask {
  readonly id: number
  readonly method: string
  readonly argument?: unknown
}

export type Reply =
  | { readonly id: number; readonly result: unknown }
  /** A message carries an error's text but not its class: the code tells that it is a PosthasteError. */
  | { readonly id: number; readonly error: Error; readonly code: ErrorCode | undefined }

/** What a thread says without being asked. */
export interface Told {
  readonly told: unknown
}

/** What can be asked of a part. */
export type Methods = Readonly<Record<string, (argument: never) => unknown>> & {
  /** May be repeated if it failed. */
  start(argument: never): unknown
  /** The last that is asked. */
  stop(): unknown
}

/** What the other side gave as `data`. */
export function threadData<T>(): T {
  return workerData as T
}

/** Answers what is asked until a stop. */
export function serveThread(methods: Methods): void {
  const port = parentPort as MessagePort
  port.on('message', (ask: Ask) => void answer(port, methods, ask))
}

export function tell(told: unknown): void {
  parentPort?.postMessage({ told } satisfies Told)
}

async function answer(port: MessagePort, methods: Methods, { argument, id, method }: Ask): Promise<void> {
  try {
    port.postMessage({ id, result: await methods[method]?.(argument as never) } satisfies Reply)
  } catch (error) {
    const code = error instanceof PosthasteError ? error.code : undefined
    port.postMessage({ id, error: error as Error, code } satisfies Reply)
  }
  if (method === 'stop') port.close()
}
