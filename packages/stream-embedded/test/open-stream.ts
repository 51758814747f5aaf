import { rmSync } from 'node:fs'
import { Environment } from '@posthaste/storage'
import type { Consumer, Delivery } from '@posthaste/stream'
import type { Test } from 'tap'
import { EmbeddedStream, type EmbeddedStreamOptions } from '../src/embedded-stream.js'
import { makeDirectory, optionsFor } from './embedded-harness.js'

export interface Opened {
  readonly directory: string
  readonly environment: Environment
  readonly stream: EmbeddedStream
  readonly consumer: Consumer
}

/** A stream in a directory of its own, started, with a consumer that has not pulled. All of it ends with the test. */
export async function openStream(t: Test, more: Partial<EmbeddedStreamOptions> = {}): Promise<Opened> {
  const directory = makeDirectory()
  const environment = new Environment({ directory, reserveBytes: 0 })
  const stream = new EmbeddedStream({ ...optionsFor(environment), ...more })
  t.teardown(async () => {
    await stream.stop()
    await environment.close()
    rmSync(directory, { recursive: true })
  })
  await stream.start()
  return { directory, environment, stream, consumer: await stream.consume('group') }
}

export function pull(consumer: Consumer, recordsMax: number, waitMs = 1_000): Promise<Delivery[]> {
  return consumer.pull({ recordsMax, bytesMax: 1e9, waitMs })
}

export function record(key: string, text = key): { key: string; value: Buffer } {
  return { key, value: Buffer.from(text) }
}
